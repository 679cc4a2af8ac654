"""Steps that lay files into a service's packages: from text, from beside a description, from the sdist."""

from __future__ import annotations

from dataclasses import dataclass

from rdo.packaging.spec import Draft, Subpackage, own_file
from rdo.packaging.spec_model import SpecError
from rdo.packaging.spec_quoting import shell_word


@dataclass(frozen=True)
class Steps:
    """Adds steps to a draft's %install, and what they lay to its packages.

    ``described`` is the project whose description is carried out.
    """

    draft: Draft
    described: str

    def mistake(self, what: str) -> SpecError:
        """Return the error of a description that doesn't fit the sdist."""
        return SpecError(f"packages/{self.described}/package.yaml {what}.")

    def install(self, *lines: str) -> None:
        """Add lines to %install."""
        self.draft.after_install += lines

    def generated(
        self, sub: Subpackage, filename: str, text: str, target: str, *, marks: str = "", mode: str = "0644"
    ) -> int:
        """Add a file that is made here and return the number of its Source tag."""
        number = self.draft.add_source(filename, text.encode())
        self.install(f"install -p -D -m {mode} %{{SOURCE{number}}} %{{buildroot}}{target}")
        sub.files.append(f"{marks}{target}")
        return number

    def place(self, name: str, target: str, *, mode: str = "0644", upstream: bool = False) -> None:
        """Install a file of ours, or the sdist's own file or folder.

        :raises SpecError: it isn't there
        """
        if upstream:
            there = self.draft.inputs.metadata.files
            if any(item.startswith(f"{name}/") for item in there):
                self.install(f"mkdir -p %{{buildroot}}{target}")
                self.install(f"cp -rp {shell_word(name)}/. %{{buildroot}}{target}/")
                return
            if name not in there:
                raise self.mistake(f"names {name}, which isn't in the sdist")
            origin = shell_word(name)
        else:
            number = self.draft.add_source(name, own_file(self.draft.inputs, name))
            origin = f"%{{SOURCE{number}}}"
        self.install(f"install -p -D -m {mode} {origin} %{{buildroot}}{target}")

    def folder(self, sub: Subpackage, path: str, user: str, *, mode: str = "0750") -> None:
        """Make a folder that is an account's own."""
        self.install(f"mkdir -p %{{buildroot}}{path}")
        sub.files.append(f"%dir %attr({mode}, {user}, {user}) {path}")

    def scriptlet(self, sub: Subpackage, section: str, line: str) -> None:
        """Add a line to a package's scriptlet."""
        for name, lines, _ in sub.scriptlets:
            if name == section:
                lines.append(line)
                return
        sub.scriptlets.append((section, [line], None))

    def accounts(self, sub: Subpackage, name: str, text: str) -> None:
        """Add a file of sysusers.d. rpm 4.19 makes accounts from it by itself; the one of EL 9 is older."""
        number = self.generated(sub, f"{name}.sysusers", text, f"%{{_sysusersdir}}/{name}.conf")
        sub.scriptlets.append(
            ("pre", [f"%sysusers_create_compat %{{SOURCE{number}}}"], "0%{?rhel} && 0%{?rhel} < 10")
        )
        sub.tags.append("%{?sysusers_requires_compat}")
        self.draft.natives.add("systemd-rpm-macros")

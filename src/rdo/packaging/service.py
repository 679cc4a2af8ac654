"""What a service gets besides its Python modules: configuration, account, folders, units, httpd's site."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rdo.distribution.description import Service, Unit
from rdo.distribution.description import Subpackage as PartOfService
from rdo.packaging import library, service_config, templates, units
from rdo.packaging.prose import description_of, escape, summary_of
from rdo.packaging.service_parts import documentation, further_names, listed, tag
from rdo.packaging.spec import EVR, Draft, Subpackage, own_file
from rdo.packaging.spec_model import SpecError

# What the generated spec carries to run oslo's generators.
_OPTION_FILES = Path(__file__).parent / "carried" / "option_files.py"


def add(draft: Draft) -> None:
    """Add the service's main package and its other subpackages, and the steps that they need.

    :raises SpecError: the description names a file or a command that isn't there
    """
    service = draft.inputs.stated.service
    if service is None:
        return
    _Writer(draft, service, draft.inputs.stated.project).add()


@dataclass
class _Writer:
    draft: Draft
    service: Service
    described: str  # the project whose description this is
    patterns: list[tuple[Subpackage, tuple[str, ...]]] = field(default_factory=list)
    placed_commands: dict[str, Subpackage] = field(default_factory=dict)
    runners: dict[str, list[Subpackage]] = field(default_factory=dict)  # command -> who has units that run it

    @property
    def project(self) -> str:
        """The name of the folders that are used, most often the project's."""
        return self.service.folder_name(self.described)

    @property
    def user(self) -> str:
        return self.service.user or self.project

    @cached_property
    def made(self) -> list[service_config.Made]:
        """What upstream's generators make of options."""
        inputs = self.draft.inputs
        return service_config.generated(
            inputs.inspection, self.project, self.service.generators, inputs.metadata.files
        )

    @property
    def title(self) -> str:
        return f"OpenStack {self.project.capitalize()}"

    def add(self) -> None:
        self._packages()
        self._commands()
        self._configuration()
        if self.service.of is None:
            self._account_and_folders()
        for folder in self.service.directories:
            self._folder(folder)
        self._rights()
        self._httpd()
        self._placed_files()
        if self.service.docs and (pages := documentation(self.draft)) is not None:
            self.draft.subpackages.append(pages)
        self._metapackage()

    # packages

    def _packages(self) -> None:
        service = self.service
        if service.main is None and self.draft.package.startswith("python-"):
            # a plugin that is known as a library: its settings lie with its modules
            self.main = self.base = self.draft.modules
            self.main.tags += further_names(service)
        else:
            self._main_package()
        self.base.tags += [tag("Requires", item) for item in service.requires]
        self.base.tags += [tag("Recommends", item) for item in service.recommends]
        self.further = [self._further(stated.name) for stated in service.subpackages]
        self.draft.subpackages += self.further
        self._units(self.main, service.units)
        for stated, sub in zip(service.subpackages, self.further, strict=True):
            self._units(sub, stated.units)
            self._memberships(sub, stated.groups)

    def _main_package(self) -> None:
        inputs, service = self.draft.inputs, self.service
        self.main = self._package(
            service.main or self.draft.package,
            summary_of(inputs.metadata, inputs.stated.summary),
            service,
            main=service.main is None,
        )
        self.main.description = description_of(inputs.metadata, inputs.stated.description)
        others = [self.main]
        if service.common is None:
            self.base = self.main
        else:
            self.base = self._package(service.common, f"{self.title}: what its packages have in common")
            self.main.tags.append(tag("Requires", f"{self.base.name} = {EVR}"))
            others.append(self.base)
        self.base.tags.append(tag("Requires", f"{self.draft.modules_name} = {EVR}"))
        self.draft.subpackages[:0] = others

    def _package(
        self, name: str, summary: str, stated: Service | PartOfService | None = None, *, main: bool = False
    ) -> Subpackage:
        sub = Subpackage(name, summary, f"{summary}.", main=main)
        sub.tags += further_names(stated)
        sub.files += [f"%license {name}" for name in library.first_licence(self.draft)]
        return sub

    def _further(self, name: str) -> Subpackage:
        stated = next(item for item in self.service.subpackages if item.name == name)
        part = name.removeprefix(f"{self.draft.package}-").replace("-", " ")
        sub = self._package(name, stated.summary or f"{self.title}: {part}", stated)
        sub.description = stated.description or f"{sub.summary}."
        sub.tags.append(tag("Requires", f"{self.base.name} = {EVR}"))
        sub.tags += [tag("Requires", item) for item in stated.requires]
        sub.tags += [tag("Recommends", item) for item in stated.recommends]
        self.patterns.append((sub, stated.config))
        for pattern in stated.scripts:
            found = fnmatch.filter(library.commands(self.draft), pattern)
            self.placed_commands |= dict.fromkeys(found or ([] if "*" in pattern else [pattern]), sub)
        return sub

    def _named(self, name: str | None) -> Subpackage:
        if name is None:
            return self.base
        for sub in self.draft.subpackages:
            if sub.name == name:
                return sub
        raise self._mistake(f"names the subpackage {name}, which isn't there")

    def _mistake(self, what: str) -> SpecError:
        return SpecError(f"packages/{self.described}/package.yaml {what}.")

    def _commands(self) -> None:
        """List the commands: with what runs them, or in the base package if several packages do."""
        available = library.commands(self.draft)
        sites = {site.package for site in self.service.httpd}
        if len(sites) == 1:
            # the same application, for other servers than httpd
            scripts = self.draft.inputs.metadata.entry_points.get("wsgi_scripts", {})
            self.placed_commands = dict.fromkeys(scripts, self._named(*sites)) | self.placed_commands
        for name, subs in self.runners.items():
            alone = all(sub is subs[0] for sub in subs)
            self.placed_commands.setdefault(name, subs[0] if alone else self.base)
        for name in sorted(set(self.placed_commands) - set(available)):
            raise self._mistake(f"names the command {name}, which isn't there")
        for name in available:
            self.placed_commands.get(name, self.base).files.append(f"%{{_bindir}}/{name}")

    def _metapackage(self) -> None:
        """Let a main package that has nothing of its own bring everything that runs."""
        if self.base is self.main or any(not line.startswith("%license") for line in self.main.files):
            return
        running = [
            sub for sub in self.further if any("_unitdir" in line or "wsgi-" in line for line in sub.files)
        ]
        self.main.tags += [tag("Requires", f"{sub.name} = {EVR}") for sub in running]

    # units

    def _units(self, sub: Subpackage, stated: Iterable[str | Unit]) -> None:
        made = [units.named(item, self.service, self.described, self.user) for item in stated]
        if not made:
            return
        for unit in made:
            if unit.command is not None:
                self.runners.setdefault(unit.command, []).append(sub)
            target = f"%{{_unitdir}}/{unit.filename}"
            if unit.text is None:
                self._place(unit.filename, target)
                sub.files.append(target)
            else:
                self._generated(sub, unit.filename, unit.text, target)
        joined = " ".join(unit.filename for unit in made)
        self._scriptlet(sub, "post", f"%systemd_post {joined}")
        self._scriptlet(sub, "preun", f"%systemd_preun {joined}")
        # of a template (x@.service) it is the instances that run
        running = joined.replace("@.", "@*.")
        self._scriptlet(sub, "postun", f"%systemd_postun_with_restart {running}")
        sub.tags.append("%{?systemd_requires}")
        self.draft.natives.add("systemd-rpm-macros")

    def _memberships(self, sub: Subpackage, groups: Iterable[str]) -> None:
        """Let the account join groups. Who makes them first doesn't matter, so they are no requirements."""
        names = list(groups)
        if not names:
            return
        text = "".join(f"m {self.user} {name}\n" for name in names)
        target = f"%{{_sysusersdir}}/{sub.name}.conf"
        number = self._generated(sub, f"{sub.name}.sysusers", text, target)
        self._compat_scriptlet(sub, number)
        self.draft.requires_exclude |= {rf"group\\({name}\\)" for name in names}

    def _compat_scriptlet(self, sub: Subpackage, number: int) -> None:
        """Make accounts where rpm doesn't do it from sysusers.d: 4.19 does, and the one of EL 9 is older."""
        sub.scriptlets.append(
            ("pre", [f"%sysusers_create_compat %{{SOURCE{number}}}"], "0%{?rhel} && 0%{?rhel} < 10")
        )
        sub.tags.append("%{?sysusers_requires_compat}")

    # configuration

    def _configuration(self) -> None:
        etc, share = f"%{{_sysconfdir}}/{self.project}", f"%{{_datadir}}/{self.project}"
        folders = [f"{etc}/{name}" for name in self.service.config_directories]
        if self.service.of is None:
            folders = [etc, f"{etc}/{self.project}.conf.d", *folders]
            self.base.files.append(f"%dir {share}")
        self.base.files += [f"%dir %attr(0750, root, {self.user}) {folder}" for folder in folders]
        self._install(f"mkdir -p {' '.join('%{buildroot}' + folder for folder in (*folders, share))}")
        self._generators(etc, share)
        self._upstream_data(etc)
        if self.service.of is None or self.service.defaults:
            name = self.service.folder or self.described
            text = service_config.distribution_defaults(self.draft, self.project, self.service.defaults)
            if text is not None:
                self._generated(self.base, f"{name}-dist.conf", text, f"{share}/{name}-dist.conf")

    def _generators(self, etc: str, share: str) -> None:
        policies = self.draft.inputs.inspection.policy_generators
        wanted: list[tuple[str, str, Subpackage, str]] = []  # input, place, package, its line in %files
        for one in self.made:
            sub, target = self._owner(one.target), f"{etc}/{one.target}"
            wanted.append((one.source, target, sub, service_config.config_line(target, self.user)))
            wanted.append((one.source, f"{share}/{one.schema}", sub, f"{share}/{one.schema}"))
        name = "policy" if self.service.of is None else f"{self.described}-policy"
        for source, _ in policies[:1]:
            target = f"{share}/{name}.yaml.sample"
            wanted.append((source, target, self.base, target))
        if wanted:
            self._generate([(source, target) for source, target, _, _ in wanted])
        for _, _, sub, line in wanted:
            sub.files.append(line)
        for one in self.made:
            if self.service.of is not None and one.is_read_with_the_service:
                self._read_with_the_service(self._owner(one.target), etc, one.target)

    def _generate(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Run the generators. They note the names of their outputs, so those must be the same everywhere."""
        self.draft.runtime_at_build = True
        rows = [(source, f"generated-{target.rpartition('/')[2]}", target) for source, target in wanted]
        number = self.draft.add_source("option_files.py", _OPTION_FILES.read_bytes())
        arguments = " \\\n  ".join(f"{escape(source)} {made}" for source, made, _ in rows)
        self._install(
            "# generated by the installed code itself, so that they fit this very version",
            f"PYTHONPATH=%{{buildroot}}{self.draft.sitedir} PYTHONDONTWRITEBYTECODE=1 \\",
            f"%{{python3}} %{{SOURCE{number}}} \\\n  {arguments}",
            *(f"install -p -D -m 0644 {made} %{{buildroot}}{target}" for _, made, target in rows),
        )

    def _read_with_the_service(self, sub: Subpackage, etc: str, name: str) -> None:
        """Let the programs of the service that this is a plugin of read the plugin's file after their own."""
        folder = f"{etc}/{self.project}.conf.d"
        self._install(f"mkdir -p %{{buildroot}}{folder}", f"ln -s ../{name} %{{buildroot}}{folder}/{name}")
        sub.files.append(f"{folder}/{name}")

    def _owner(self, relative: str) -> Subpackage:
        """Return the package that a file below /etc/<project> goes to."""
        for sub, patterns in self.patterns:
            if service_config.belongs(relative, patterns):
                return sub
        return self.base

    def _upstream_data(self, etc: str) -> None:
        """List the wheel's data files; those of the service's own folder are configuration.

        What upstream has in that folder and doesn't install comes as well.
        """
        inside = []
        for target in library.data_files(self.draft):
            name = target.lstrip("/")
            if name.startswith(f"etc/{self.project}/"):
                inside.append(name.removeprefix(f"etc/{self.project}/"))
            elif name.startswith("etc/"):
                path = f"%{{_sysconfdir}}/{escape(name.removeprefix('etc/'))}"
                self.base.files.append(f"%config(noreplace) {path}")
            else:
                self.base.files.append(library.below_prefix(target))
        more = list(service_config.further_settings(self.draft, self.project, inside))
        for relative in more:
            source = escape(f"etc/{self.project}/{relative}")
            self._install(f"install -p -D -m 0640 {source} %{{buildroot}}{etc}/{escape(relative)}")
        stated = {stated.target for stated in self.service.files}
        for relative in sorted({*inside, *more}):
            path, owner = f"{etc}/{escape(relative)}", self._owner(relative)
            line = service_config.config_line(path, self.user)
            if line not in owner.files and path not in stated:
                owner.files.append(line)
        self._folders_inside(etc, [*inside, *more])

    def _folders_inside(self, etc: str, names: Iterable[str]) -> None:
        made = [one.target for one in self.made]
        folders = {name.rpartition("/")[0] for name in (*names, *made) if "/" in name}
        for folder in sorted(folders - set(self.service.config_directories)):
            parts = folder.split("/")
            for depth in range(1, len(parts) + 1):
                line = f"%dir %attr(0750, root, {self.user}) {etc}/{escape('/'.join(parts[:depth]))}"
                if line not in self.base.files:
                    self.base.files.append(line)

    # account, folders, logs

    def _account_and_folders(self) -> None:
        for folder in (f"%{{_sharedstatedir}}/{self.project}", f"%{{_localstatedir}}/log/{self.project}"):
            self._folder(folder)
        self._folder(f"%{{_sharedstatedir}}/{self.project}/tmp")
        name = self.draft.package
        if self.user != "root":
            self._account(name)
        self._generated(
            self.base,
            f"{name}.tmpfiles",
            templates.tmpfiles(self.project, self.service),
            f"%{{_tmpfilesdir}}/{name}.conf",
        )
        self._scriptlet(self.base, "post", f"%tmpfiles_create %{{_tmpfilesdir}}/{name}.conf")
        self._generated(
            self.base,
            f"{name}.logrotate",
            templates.logrotate(self.project, self.service),
            f"%{{_sysconfdir}}/logrotate.d/{name}",
            marks="%config(noreplace) ",
        )
        self.base.tags.append(tag("Requires", "logrotate"))
        self.draft.natives.add("systemd-rpm-macros")

    def _account(self, name: str) -> None:
        number = self._generated(
            self.base,
            f"{name}.sysusers",
            templates.sysusers(self.project, self.service, self.title),
            f"%{{_sysusersdir}}/{name}.conf",
        )
        self._compat_scriptlet(self.base, number)

    def _folder(self, folder: str) -> None:
        self._install(f"mkdir -p %{{buildroot}}{folder}")
        self.base.files.append(f"%dir %attr(0750, {self.user}, {self.user}) {folder}")

    def _rights(self) -> None:
        derived = service_config.sudo_rights(self.draft, self.project, self.user)
        stated = None if self.service.sudoers is None else own_file(self.draft.inputs, self.service.sudoers)
        text = (derived or "") + ("" if stated is None else stated.decode())
        if not text:
            return
        target = f"%{{_sysconfdir}}/sudoers.d/{self.described}"
        marks = "%config(noreplace) %attr(0440, root, root) "
        self._generated(self.base, f"{self.described}.sudoers", text, target, marks=marks, mode="0440")
        self.base.tags.append(tag("Requires", "sudo"))

    # httpd, other files

    def _httpd(self) -> None:
        modules = self.draft.inputs.inspection.modules
        for application in self.service.httpd:
            if application.module.partition(".")[0] not in modules:
                raise self._mistake(f"names the module {application.module}, which isn't there")
            filename = f"wsgi-{application.name}.conf"
            script = self._script(application.module)
            text = templates.httpd_site(self.project, self.service, application, script)
            number = self.draft.add_source(filename, text.encode())
            target = f"%{{_datadir}}/{self.project}/{filename}"
            self._install(
                f"sed 's|@SITELIB@|{self.draft.sitedir}|' %{{SOURCE{number}}} > %{{buildroot}}{target}",
                f"touch -r %{{SOURCE{number}}} %{{buildroot}}{target}",
            )
            self._named(application.package).files.append(target)
        for sub in self.further:
            sites = any("/wsgi-" in line for line in sub.files)
            if sites and not any("_unitdir" in line for line in sub.files):
                # nothing else runs it
                sub.tags += [tag("Requires", item) for item in ("httpd", "python3-mod_wsgi")]

    def _script(self, module: str) -> str:
        """Return the file of a module below site-packages; a package may be one itself."""
        path = module.replace(".", "/")
        files = self.draft.inputs.metadata.files
        itself = f"{path}/__init__.py" in files and f"{path}.py" not in files
        return f"{path}/__init__.py" if itself else f"{path}.py"

    def _placed_files(self) -> None:
        for placed in self.service.files:
            self._place(placed.source, placed.target, mode=placed.mode, upstream=placed.upstream)
            self._named(placed.package).files.append(listed(placed))

    # small steps

    def _generated(
        self, sub: Subpackage, filename: str, text: str, target: str, *, marks: str = "", mode: str = "0644"
    ) -> int:
        """Add a file that is made here and return the number of its Source tag."""
        number = self.draft.add_source(filename, text.encode())
        self._install(f"install -p -D -m {mode} %{{SOURCE{number}}} %{{buildroot}}{target}")
        sub.files.append(f"{marks}{target}")
        return number

    def _place(self, name: str, target: str, *, mode: str = "0644", upstream: bool = False) -> None:
        """Install a file of ours, or the sdist's own."""
        if upstream:
            there = self.draft.inputs.metadata.files
            if any(item.startswith(f"{name}/") for item in there):
                self._install(f"mkdir -p %{{buildroot}}{target}")
                self._install(f"cp -rp {escape(name)}/. %{{buildroot}}{target}/")
                return
            if name not in there:
                raise self._mistake(f"names {name}, which isn't in the sdist")
            origin = escape(name)
        else:
            number = self.draft.add_source(name, own_file(self.draft.inputs, name))
            origin = f"%{{SOURCE{number}}}"
        self._install(f"install -p -D -m {mode} {origin} %{{buildroot}}{target}")

    def _install(self, *lines: str) -> None:
        self.draft.after_install += lines

    def _scriptlet(self, sub: Subpackage, section: str, line: str) -> None:
        for name, lines, _ in sub.scriptlets:
            if name == section:
                lines.append(line)
                return
        sub.scriptlets.append((section, [line], None))

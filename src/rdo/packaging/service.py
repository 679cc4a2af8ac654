"""What a service gets besides its Python modules: configuration, account, folders, units, httpd's site."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, field

from rdo.distribution.description import Service, Unit
from rdo.distribution.description import Subpackage as PartOfService
from rdo.packaging import library, service_config, templates, units
from rdo.packaging.prose import description_of, summary_of, wrapped
from rdo.packaging.service_parts import documentation, further_names, listed, tag
from rdo.packaging.service_settings import Settings
from rdo.packaging.service_steps import Steps
from rdo.packaging.spec import EVR, Draft, Subpackage, own_file


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

    @property
    def steps(self) -> Steps:
        """What lays files into the packages."""
        return Steps(self.draft, self.described)

    @property
    def title(self) -> str:
        return f"OpenStack {self.project.capitalize()}"

    def add(self) -> None:
        self._packages()
        self._commands()
        Settings(self.steps, self.service, self.project, self.user, self.base, self.patterns).add()
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
        sub.description = wrapped(stated.description or f"{sub.summary}.")
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
        raise self.steps.mistake(f"names the subpackage {name}, which isn't there")

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
            raise self.steps.mistake(f"names the command {name}, which isn't there")
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
                self.steps.place(unit.filename, target)
                sub.files.append(target)
            else:
                self.steps.generated(sub, unit.filename, unit.text, target)
        joined = " ".join(unit.filename for unit in made)
        self.steps.scriptlet(sub, "post", f"%systemd_post {joined}")
        self.steps.scriptlet(sub, "preun", f"%systemd_preun {joined}")
        # of a template (x@.service) it is the instances that run
        running = joined.replace("@.", "@*.")
        self.steps.scriptlet(sub, "postun", f"%systemd_postun_with_restart {running}")
        sub.tags.append("%{?systemd_requires}")
        self.draft.natives.add("systemd-rpm-macros")

    def _memberships(self, sub: Subpackage, groups: Iterable[str]) -> None:
        """Let the account join groups where a subpackage is installed."""
        names = list(groups)
        if not names:
            return
        self.steps.accounts(sub, sub.name, "".join(f"m {self.user} {name}\n" for name in names))
        self._require_no_groups(names)

    def _require_no_groups(self, names: Iterable[str]) -> None:
        """Leave out that the groups which the account joins are required: whoever is first makes them."""
        self.draft.requires_exclude |= {rf"group\\({name}\\)" for name in names}

    # account, folders, logs

    def _folder(self, path: str) -> None:
        mode = "0711" if path in self.service.passable else "0750"
        self.steps.folder(self.base, path, self.user, mode=mode)

    def _account_and_folders(self) -> None:
        for folder in (f"%{{_sharedstatedir}}/{self.project}", f"%{{_localstatedir}}/log/{self.project}"):
            self._folder(folder)
        self._folder(f"%{{_sharedstatedir}}/{self.project}/tmp")
        name = self.draft.package
        if self.user != "root":
            self.steps.accounts(self.base, name, templates.sysusers(self.project, self.service, self.title))
            self._require_no_groups(self.service.groups)
        self.steps.generated(
            self.base,
            f"{name}.tmpfiles",
            templates.tmpfiles(self.project, self.service),
            f"%{{_tmpfilesdir}}/{name}.conf",
        )
        self.steps.scriptlet(self.base, "post", f"%tmpfiles_create %{{_tmpfilesdir}}/{name}.conf")
        self.steps.generated(
            self.base,
            f"{name}.logrotate",
            templates.logrotate(self.project, self.service),
            f"%{{_sysconfdir}}/logrotate.d/{name}",
            marks="%config(noreplace) ",
        )
        self.base.tags.append(tag("Requires", "logrotate"))
        self.draft.natives.add("systemd-rpm-macros")

    def _rights(self) -> None:
        derived = service_config.sudo_rights(self.draft, self.project, self.user)
        stated = None if self.service.sudoers is None else own_file(self.draft.inputs, self.service.sudoers)
        text = (derived or "") + ("" if stated is None else stated.decode())
        if not text:
            return
        target = f"%{{_sysconfdir}}/sudoers.d/{self.described}"
        marks = "%config(noreplace) %attr(0440, root, root) "
        self.steps.generated(self.base, f"{self.described}.sudoers", text, target, marks=marks, mode="0440")
        self.base.tags.append(tag("Requires", "sudo"))

    # httpd, other files

    def _httpd(self) -> None:
        modules = self.draft.inputs.inspection.modules
        for application in self.service.httpd:
            if application.module.partition(".")[0] not in modules:
                raise self.steps.mistake(f"names the module {application.module}, which isn't there")
            filename = f"wsgi-{application.name}.conf"
            script = self._script(application.module)
            text = templates.httpd_site(self.project, self.service, application, script)
            number = self.draft.add_source(filename, text.encode())
            target = f"%{{_datadir}}/{self.project}/{filename}"
            self.steps.install(
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
            self.steps.place(placed.source, placed.target, mode=placed.mode, upstream=placed.upstream)
            self._named(placed.package).files.append(listed(placed))

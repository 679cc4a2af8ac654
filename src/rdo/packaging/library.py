"""What every Python package gets: modules, commands, extras, tests, translations, documents."""

from __future__ import annotations

import fnmatch
import glob
import posixpath
import re
from collections.abc import Callable, Iterable

from rdo.packaging import naming
from rdo.packaging.build_requirements import through_extras
from rdo.packaging.extras import packaged_extras
from rdo.packaging.prose import description_of, summary_of, wrapped
from rdo.packaging.spec import EVR, Draft, Subpackage
from rdo.packaging.spec_quoting import documents, listed_path, literal, shell_word

_DIRECTORIES = (
    ("etc/", "%{_sysconfdir}/"),
    ("share/", "%{_datadir}/"),
    ("bin/", "%{_bindir}/"),
    ("sbin/", "%{_sbindir}/"),
    ("libexec/", "%{_libexecdir}/"),
    ("lib/", "%{_prefix}/lib/"),
)


def add(draft: Draft) -> None:
    """Add the subpackages of a Python distribution, and the steps that they need."""
    inputs = draft.inputs
    draft.subpackages.append(
        Subpackage(
            draft.modules_name,
            summary_of(inputs.metadata, inputs.stated.summary),
            description_of(inputs.metadata, inputs.stated.description),
            tags=[
                *(f"Requires:       {item}" for item in (*inputs.stated.requires, *through_extras(inputs))),
                *(f"Conflicts:      {item}" for item in inputs.stated.conflicts),
            ],
            file_list="%{pyproject_files}",
        )
    )
    _documents(draft)
    _named_package(draft)
    _commands(draft)
    _data_files(draft)
    _extras(draft)
    _tests(draft)
    _translations(draft)


def _named_package(draft: Draft) -> None:
    """Add a package of the source's own name, where users know that, for commands and all beside modules."""
    inputs = draft.inputs
    if inputs.stated.service is not None or inputs.project is None:
        return
    if inputs.project.package is None or draft.package.startswith("python-"):
        return
    draft.subpackages.insert(
        0,
        Subpackage(
            draft.package,
            summary_of(inputs.metadata, inputs.stated.summary),
            description_of(inputs.metadata, inputs.stated.description),
            tags=[f"Requires:       {draft.modules_name} = {EVR}"],
            files=[f"%license {name}" for name in first_licence(draft)],
            main=True,
        ),
    )


def _documents(draft: Draft) -> None:
    """Mark licence and documentation files; of several with one base name the topmost is taken."""
    inspection, files = draft.inputs.inspection, draft.modules.files
    licences: dict[str, str] = {}
    for name in sorted(inspection.licence_files, key=lambda item: (item.count("/"), item)):
        licences.setdefault(posixpath.basename(name), name)
    files += [f"%license {name}" for name in documents(sorted(licences.values()))]
    files += [f"%doc {name}" for name in documents(inspection.doc_files)]


def commands(draft: Draft) -> list[str]:
    """Return the names of all commands that the wheel installs and that are shipped."""
    out = _left_out(draft)
    places = [f"bin/{name}" for name in _installed_commands(draft)]
    return [place[4:] for place in places if not any(fnmatch.fnmatchcase(place, one) for one in out)]


def _installed_commands(draft: Draft) -> list[str]:
    metadata = draft.inputs.metadata
    # wsgi_scripts are pbr's own
    groups = [metadata.entry_points.get(group, {}) for group in ("gui_scripts", "wsgi_scripts")]
    others = (name for group in groups for name in group)
    return sorted({*metadata.console_scripts, *others, *draft.inputs.inspection.scripts})


def _commands(draft: Draft) -> None:
    if draft.inputs.stated.service is None:
        draft.subpackages[0].files += [f"%{{_bindir}}/{name}" for name in commands(draft)]


def _data_files(draft: Draft) -> None:
    """List files outside the modules' folder. What upstream puts below ``etc`` goes to /etc itself."""
    if draft.inputs.inspection.namespaces:
        draft.modules.files.append(f"{draft.sitedir}/*-nspkg.pth")
    draft.modules.files += draft.inputs.stated.installs
    if draft.inputs.inspection.headers:
        # EL's folder has the flags of the interpreter's build in its name, if there are any
        folder = "%{_includedir}/python%{python3_version}*"
        draft.modules.files.append(f"{folder}/{draft.inputs.metadata.name}")
    rows = data_files(draft)
    etc = [target for target in rows if target.lstrip("/").startswith("etc/")]
    if any(target.lstrip("/").startswith("etc/") for target, _ in draft.inputs.inspection.data_files):
        draft.after_install += [
            "# wheels can't say /etc: these have landed below the prefix",
            "mkdir -p %{buildroot}%{_sysconfdir}",
            "cp -a %{buildroot}%{_prefix}/etc/. %{buildroot}%{_sysconfdir}/",
            "rm -r %{buildroot}%{_prefix}/etc",
        ]
    places = [below_prefix(pattern, literal) for pattern in _stated_left_out(draft)]
    places += [below_prefix(name, shell_word) for name in _used_inputs(draft)]
    draft.after_install += [f"rm -r %{{buildroot}}{place}" for place in places]
    if draft.inputs.stated.service is not None:
        return
    draft.modules.files += [f"%dir {folder}" for folder in _own_folders(draft, rows)]
    for target in rows:
        if target in etc:
            draft.subpackages[0].files.append(f"%config(noreplace) {below_prefix(target)}")
        else:
            draft.subpackages[0].files.append(below_prefix(target))


def _own_folders(draft: Draft, rows: Iterable[str]) -> list[str]:
    """Return the folders of data files that nobody else makes: those with the project's name, and below."""
    inputs = draft.inputs
    names = {inputs.metadata.name, inputs.metadata.dist, *inputs.inspection.modules}
    names |= {inputs.project.name} if inputs.project is not None else set()
    found = set()
    for target in rows:
        parts = target.split("/")
        if parts[0] in ("etc", "share") and parts[1] in names:
            found |= {"/".join(parts[:length]) for length in range(2, len(parts))}
    return [below_prefix(folder) for folder in sorted(found)]


def data_files(draft: Draft) -> list[str]:
    """Return what the wheel installs outside the modules' folder and is shipped; relative to the prefix."""
    out = _left_out(draft)
    names = [target.lstrip("/") for target, _ in draft.inputs.inspection.data_files]
    return [name for name in names if not any(fnmatch.fnmatchcase(name, pattern) for pattern in out)]


def _left_out(draft: Draft) -> list[str]:
    """Return globs of what is not shipped: stated ones, and inputs of option generators, which were used."""
    return [*_stated_left_out(draft), *(glob.escape(name) for name in _used_inputs(draft))]


def _stated_left_out(draft: Draft) -> list[str]:
    """Return the packager's globs. A stated command may be there in other series only."""
    places = [f"bin/{name}" for name in _installed_commands(draft)]
    stated = draft.inputs.stated.leave_out
    return [one for one in stated if not one.startswith("bin/") or fnmatch.filter(places, one)]


def _used_inputs(draft: Draft) -> list[str]:
    inspection = draft.inputs.inspection
    inputs = {source for source, _ in (*inspection.config_generators, *inspection.policy_generators)}
    return [target.lstrip("/") for target, source in inspection.data_files if source in inputs]


def below_prefix(target: str, written: Callable[[str], str] = listed_path) -> str:
    """Return a data file's path in RPM's macros; ``target`` is relative to the prefix (share/x).

    What is below ``etc`` goes to /etc. Manual pages are compressed once they are installed.

    :param written: how the name is written in the spec: as in %files, or as in a shell line
    """
    relative = target.lstrip("/").removeprefix("usr/")
    if relative.startswith("share/man/"):
        return f"%{{_mandir}}/{written(relative.removeprefix('share/man/'))}*"
    for start, macro in _DIRECTORIES:
        if relative.startswith(start):
            return macro + written(relative.removeprefix(start))
    return f"%{{_prefix}}/{written(relative)}"


def _extras(draft: Draft) -> None:
    inputs = draft.inputs
    dist, name = inputs.metadata.dist, inputs.metadata.name
    extras = packaged_extras(inputs.metadata, inputs.release, inputs.platform, inputs.statements)
    for extra in extras:
        needs = inputs.statements.of_extra(inputs.metadata, extra)
        # an extra may be made of others; RPM's generators leave those out
        parts = {part for need in needs if need.dist == dist for part in need.extras}
        required = [draft.modules_name]
        required += [naming.extra_package(dist, part) for part in extras if part in parts - {extra}]
        draft.subpackages.append(
            Subpackage(
                naming.extra_package(dist, extra),
                f"The extra {extra} of {name}",
                wrapped(f"Has no files of its own; it brings what {name}[{extra}] needs."),
                tags=[f"Requires:       {package} = {EVR}" for package in required],
                files=[f"%ghost %dir {draft.sitedir}/*.dist-info"],
            )
        )


def _tests(draft: Draft) -> None:
    inputs = draft.inputs
    folders = inputs.inspection.tests
    # plugins of tempest are tests: theirs are what they are installed for
    plugin = inputs.project is not None and inputs.project.type == "tempest-plugin"
    if not folders or inputs.stated.tests is False or plugin:
        return
    modules = draft.modules_name
    paths = [f"{draft.sitedir}/{listed_path(folder)}" for folder in folders]
    draft.modules.files += [f"%exclude {path}" for path in paths]
    draft.subpackages.append(
        Subpackage(
            f"{modules}-tests",
            f"Tests of {inputs.metadata.name}",
            wrapped(f"The tests that {inputs.metadata.name} has inside its modules."),
            tags=[f"Requires:       {modules} = {EVR}"],
            files=[*(f"%license {name}" for name in first_licence(draft)), *paths],
        )
    )


def _translations(draft: Draft) -> None:
    """Compile OpenStack's translations, and leave their sources out.

    They go to where gettext looks by default, in a package of their own. Django's stay inside their modules,
    since Django looks there, and so do those of third parties.
    """
    inputs = draft.inputs
    if inputs.project is None or not inputs.inspection.locales:
        return
    draft.natives.add("gettext")
    draft.before_wheel.append("# translations are compiled, and their sources left out of the wheel")
    djangos = [folder for folder in inputs.inspection.locales if _is_djangos(folder, inputs.metadata.files)]
    others = [folder for folder in inputs.inspection.locales if folder not in djangos]
    draft.before_wheel += [
        line for folder in djangos for line in _compiled(folder, f"_modules/{shell_word(folder)}")
    ]
    draft.before_wheel += [line for folder in others for line in _compiled(folder, "_translations")]
    if djangos:
        draft.after_install.append(f"cp -a _modules/. %{{buildroot}}{draft.sitedir}/")
        draft.modules.files += [f"{draft.sitedir}/{listed_path(folder)}" for folder in djangos]
    if others:
        _translations_apart(draft)


def _is_djangos(folder: str, files: Iterable[str]) -> bool:
    """Tell whether Django reads the catalogues of a folder: it looks for these names alone."""
    catalogue = re.compile(re.escape(folder) + r"/[^/]+/LC_MESSAGES/django(js)?\.po")
    return any(catalogue.fullmatch(name) for name in files)


def _compiled(folder: str, target: str) -> list[str]:
    """Return the shell lines that compile a folder's catalogues into another and remove it.

    :param target: as a word of the shell
    """
    folder = shell_word(folder)
    return [
        f"for po in {folder}/*/LC_MESSAGES/*.po; do",
        f"  mo={target}/${{po#{folder}/}}",
        '  mkdir -p "${mo%/*}"',
        '  msgfmt -o "${mo%.po}.mo" "$po"',
        "done",
        f"rm -r {folder}",
    ]


def _translations_apart(draft: Draft) -> None:
    inputs = draft.inputs
    package = naming.lang_package(inputs.metadata.dist)
    draft.after_install += [
        "mkdir -p %{buildroot}%{_datadir}/locale",
        "cp -a _translations/. %{buildroot}%{_datadir}/locale/",
        "%find_lang %{name} --all-name",
    ]
    draft.modules.tags.append(f"Requires:       {package} = {EVR}")
    draft.subpackages.append(
        Subpackage(
            package,
            f"Translations of {inputs.metadata.name}",
            f"The messages of {inputs.metadata.name} in other languages.",
            tags=[] if not draft.languages else ["BuildArch:      noarch"],
            files=[f"%license {name}" for name in first_licence(draft)],
            file_list="%{name}.lang",
        )
    )


def first_licence(draft: Draft) -> list[str]:
    """Return the licence files of the sdist's top folder, for subpackages that may be installed alone.

    As %files has them.
    """
    return documents(name for name in draft.inputs.inspection.licence_files if "/" not in name)

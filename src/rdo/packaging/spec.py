"""Generates the spec of one package. The same inputs give the same bytes.

The text uses the macros of EL and Fedora under their own names, so it builds there with plain rpmbuild.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from packaging.version import Version

from rdo.packaging import naming
from rdo.packaging.build_requirements import BuildRequirements, build_requirements
from rdo.packaging.extras import packaged_extras
from rdo.packaging.licences import Licence, checked_expression, require_allowed, spdx_of
from rdo.packaging.prose import description_of, summary_of
from rdo.packaging.spec_model import GeneratedSpec, SpecError, SpecInputs, SpecSource
from rdo.packaging.spec_quoting import (
    Heading,
    address,
    begins_with_a_word_of_rpms,
    comment,
    guarded,
    literal,
    package_name,
    shell_word,
)
from rdo.packaging.versions import RpmVersion, rpm_version

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
AUTHOR = "RDO <dev@lists.rdoproject.org>"
EVR = "%{?epoch:%{epoch}:}%{version}-%{release}"


@dataclass
class Subpackage:
    """A binary package of a spec: its preamble, its files, and its scriptlets.

    A scriptlet is its section (a trigger's with what it is for: ``transfiletriggerin -- /usr/share/x``), its
    lines, and the condition that it is there for (None: always).
    """

    name: str
    summary: str
    description: str
    tags: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    file_list: str | None = None
    scriptlets: list[tuple[str, list[str], str | None]] = field(default_factory=list)
    main: bool = False


@dataclass
class Draft:
    """A spec in the making: what library and service steps add to."""

    inputs: SpecInputs
    package: str
    version: RpmVersion
    licence: Licence
    languages: tuple[str, ...]
    requires_exclude: set[str] = field(default_factory=set)
    natives: set[str] = field(default_factory=set)
    sources: list[SpecSource] = field(default_factory=list)
    patches: list[SpecSource] = field(default_factory=list)
    before_wheel: list[str] = field(default_factory=list)
    after_install: list[str] = field(default_factory=list)
    subpackages: list[Subpackage] = field(default_factory=list)
    runtime_at_build: bool = False
    save_files: tuple[str, ...] = ("'*'",)

    @property
    def modules(self) -> Subpackage:
        """The package with the Python modules."""
        return next(item for item in self.subpackages if item.name == self.modules_name)

    @property
    def modules_name(self) -> str:
        """The name of the package with the Python modules, as the source package's is."""
        return naming.modules_package(self.inputs.metadata.dist, self.package)

    @property
    def sitedir(self) -> str:
        """The macro of the folder that modules go to."""
        return "%{python3_sitearch}" if self.languages else "%{python3_sitelib}"

    def add_source(self, filename: str, content: bytes) -> int:
        """Add a file of ours and return the number of its Source tag."""
        self.sources.append(SpecSource(filename, hashlib.sha256(content).hexdigest(), content=content))
        return len(self.sources) - 1


def generate(inputs: SpecInputs) -> GeneratedSpec:
    """Generate the spec of one package.

    :raises LicenceError: upstream doesn't say which licence it has, or it is one that packages may not have
    :raises RequirementError: a requirement that RPM can't express
    :raises SpecError: a description that doesn't fit the sdist, or names a file that isn't there
    """
    from rdo.packaging import dashboard, library, service

    draft = _draft(inputs)
    library.add(draft)
    if inputs.stated.service is not None:
        service.add(draft)
    dashboard.add(draft)
    natives = {*draft.natives, *inputs.stated.build_requires}
    required = build_requirements(inputs, draft.languages, natives)
    if draft.runtime_at_build:
        required = BuildRequirements((*required.build, *required.check), ())
    text = "\n".join(guarded(_text(draft, required))).rstrip("\n") + "\n"
    return GeneratedSpec(
        package=draft.package,
        version=draft.version.version,
        release=str(inputs.stated.release),
        epoch=_epoch(draft),
        text=text,
        build_requires=(*required.build, *required.check),
        check_requires=required.check,
        sources=(*draft.sources, *draft.patches),
        subpackages=tuple(item.name for item in draft.subpackages),
        notes=() if draft.licence.reason is None else (f"Licence: {draft.licence.reason}",),
        timeout=60.0 * inputs.stated.minutes,
        memory=None if inputs.stated.memory is None else inputs.stated.memory << 30,
        replaces=tuple(sorted(inputs.stated.replaces)),
    )


def _draft(inputs: SpecInputs) -> Draft:
    stated = inputs.stated
    package = inputs.node.package
    languages: tuple[str, ...] = inputs.inspection.languages
    if stated.compiled is not None:
        languages = (languages or ("c",)) if stated.compiled else ()
    lock = inputs.lock
    licence = _licence(inputs)
    if inputs.licences:
        name = f"{inputs.metadata.dist} {inputs.metadata.version}"
        folder = inputs.metadata.dist if inputs.project is None else inputs.project.name
        require_allowed(licence, inputs.licences, name, folder)
    draft = Draft(inputs, package, rpm_version(inputs.metadata.version), licence, languages)
    draft.sources.append(SpecSource(lock.filename, lock.sha256, path=inputs.source))
    for name in stated.patches:
        content = own_file(inputs, name)
        draft.patches.append(SpecSource(name, hashlib.sha256(content).hexdigest(), content=content))
    return draft


def own_file(inputs: SpecInputs, name: str) -> bytes:
    """Read a file that lies beside a package's description.

    :raises SpecError: it isn't there
    """
    if inputs.folder is None or "/" in name or not (inputs.folder / name).is_file():
        raise SpecError(f"packages/{inputs.stated.project}/{name} is named in package.yaml and isn't there.")
    return (inputs.folder / name).read_bytes()


def _licence(inputs: SpecInputs) -> Licence:
    stated = inputs.stated.licence
    if stated is None:
        return spdx_of(inputs.metadata, inputs.inspection)
    expression = checked_expression(stated.expression)
    if expression is None:
        raise SpecError(
            f"packages/{inputs.stated.project}/package.yaml: {stated.expression!r} is no SPDX licence."
        )
    return Licence(expression, stated.reason)


def _epoch(draft: Draft) -> int:
    return draft.inputs.stated.epoch or draft.version.epoch


# the text


def _text(draft: Draft, required: BuildRequirements) -> Iterable[str]:
    inputs = draft.inputs
    yield "# Generated by rdo from upstream's metadata" + (
        " and this distribution's description of it." if inputs.description else "."
    )
    yield "%bcond check 1"
    if draft.version.version != inputs.metadata.version:
        yield f"%global upstream_version {inputs.metadata.version}"
    if _names_extras(inputs):
        yield "# what extras of others bring is required by name: not all of them are packages"
        yield "%global _python_no_extras_requires 1"
    if draft.requires_exclude:
        yield f"%global __requires_exclude ^({'|'.join(sorted(draft.requires_exclude))})$"
    yield ""
    yield from _preamble(draft, required)
    yield from _description("", description_of(inputs.metadata, inputs.stated.description))
    for sub in draft.subpackages:
        if not sub.main:
            yield from _subpackage(draft, sub)
    yield from _prep(draft)
    yield from _build(draft)
    yield from _install(draft)
    yield from _check(draft)
    for sub in draft.subpackages:
        for section, lines, condition in sub.scriptlets:
            name = "" if sub.main else f" -n {sub.name}"
            word, _, arguments = section.partition(" ")
            body = (Heading(f"%{word}{name} {arguments}".rstrip()), *lines)
            yield from (*body, "") if condition is None else (f"%if {condition}", *body, "%endif", "")
    for sub in draft.subpackages:
        name = "" if sub.main else f" -n {sub.name}"
        listed = "" if sub.file_list is None else f" -f {sub.file_list}"
        yield from (Heading(f"%files{name}{listed}"), *sub.files, "")
    yield from _changelog(draft)


def _names_extras(inputs: SpecInputs) -> bool:
    """Tell whether upstream requires an extra of another package, which EL's generator makes a dependency."""
    extras = packaged_extras(inputs.metadata, inputs.release, inputs.platform, inputs.statements)
    rows = (inputs.statements.of_extra(inputs.metadata, extra) for extra in extras)
    stated = [*inputs.statements.runtime(inputs.metadata), *(item for row in rows for item in row)]
    return any(item.extras and item.dist != inputs.metadata.dist for item in stated)


def _preamble(draft: Draft, required: BuildRequirements) -> Iterable[str]:
    inputs = draft.inputs
    yield _tag("Name", package_name(draft.package))
    if _epoch(draft):
        yield _tag("Epoch", str(_epoch(draft)))
    yield _tag("Version", draft.version.version)
    yield _tag("Release", f"{inputs.stated.release}%{{?dist}}")
    yield _tag("Summary", literal(summary_of(inputs.metadata, inputs.stated.summary)))
    yield ""
    if draft.licence.reason is not None:
        yield comment(draft.licence.reason)
    yield _tag("License", draft.licence.expression)
    if url := address((inputs.metadata.home_page or "").strip()):
        yield _tag("URL", url)
    yield _tag("Source0", _pypi_source(draft))
    for number, source in enumerate(draft.sources[1:], 1):
        yield _tag(f"Source{number}", source.filename)
    for number, patch in enumerate(draft.patches):
        yield _tag(f"Patch{number}", patch.filename)
    yield ""
    if not draft.languages:
        yield _tag("BuildArch", "noarch")
    yield from (_tag("BuildRequires", item) for item in required.build)
    if required.check:
        yield "# what importing it needs"
        yield "%if %{with check}"
        yield from (_tag("BuildRequires", item) for item in required.check)
        yield "%endif"
    main = next((item for item in draft.subpackages if item.main), None)
    if main is not None and main.tags:
        yield from ("", *main.tags)


def _pypi_source(draft: Draft) -> str:
    """Return Source0: the index's own address of the sdist, in the form of EL's macro."""
    filename, upstream = draft.inputs.lock.filename, draft.inputs.metadata.version
    for ending in (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz"):
        for written in dict.fromkeys((upstream, str(Version(upstream)), draft.inputs.lock.version)):
            if filename.endswith(f"-{written}{ending}"):
                name = filename.removesuffix(f"-{written}{ending}")
                arguments = [name]
                if written != draft.version.version or ending != ".tar.gz":
                    arguments.append(
                        "%{upstream_version}" if written == upstream != draft.version.version else written
                    )
                if ending != ".tar.gz":
                    arguments.append(ending[1:])
                return f"%{{pypi_source {' '.join(arguments)}}}"
    return literal(filename)


def _subpackage(draft: Draft, sub: Subpackage) -> Iterable[str]:
    yield Heading(f"%package -n {package_name(sub.name)}")
    yield _tag("Summary", literal(sub.summary))
    yield from sub.tags
    yield from _description(f" -n {sub.name}", sub.description)


def _description(arguments: str, text: str) -> Iterable[str]:
    yield from ("", Heading(f"%description{arguments}"))
    for line in text.split("\n"):
        if begins_with_a_word_of_rpms(line):
            raise SpecError(
                f"A description has a line that begins with % or #, which RPM takes for its own: {line}"
            )
        yield literal(line)
    yield ""


def _prep(draft: Draft) -> Iterable[str]:
    folder = literal(draft.inputs.metadata.top_folder)
    yield from (Heading("%prep"), f"%autosetup -p1 -n {folder}", *_script(draft.inputs.stated.prepare), "")


def _script(stated: Iterable[str]) -> Iterable[str]:
    """Yield a packager's shell lines; one of them may be several."""
    for line in stated:
        yield from line.split("\n")


# The order of a set's strings differs from process to process otherwise, and what upstream's code writes from
# sets into generated files with it.
_SAME_ORDER = "export PYTHONHASHSEED=0"


def _build(draft: Draft) -> Iterable[str]:
    yield from (Heading("%build"), _SAME_ORDER)
    yield from draft.before_wheel
    for name, value in sorted(draft.inputs.stated.environment.items()):
        yield f"export {name}={shell_word(value.replace('{version}', draft.inputs.metadata.version))}"
    yield from ("%pyproject_wheel", "")


def _install(draft: Draft) -> Iterable[str]:
    yield from (Heading("%install"), _SAME_ORDER, "%pyproject_install")
    yield from _relaxed_metadata(draft)
    yield f"%pyproject_save_files {' '.join(draft.save_files)}"
    yield from draft.after_install
    yield from _script(draft.inputs.stated.install)
    yield ""


def _relaxed_metadata(draft: Draft) -> Iterable[str]:
    """Make the installed metadata say what we require, since runtime dependencies are generated from it."""
    stated = draft.inputs.stated
    metadata = f"%{{buildroot}}{draft.sitedir}/*.dist-info/METADATA"
    for dist, reason in sorted(stated.exclude.items()):
        yield comment(reason)
        yield f"sed -i -E '/^Requires-Dist: {_any_spelling(dist)}([^A-Za-z0-9._-]|$)/Id' {metadata}"
    for dist, reason in sorted(stated.relax.items()):
        yield comment(reason)
        pattern = f"/^Requires-Dist: {_any_spelling(dist)}([^A-Za-z0-9._-]|$)/I"
        bounds = r"s/,? *(<=?|===?|~=) *[0-9][^,;)]*//g; s/([A-Za-z0-9._(-]|\]) *, */\1/"
        yield f"sed -i -E '{pattern} {{{bounds}}}' {metadata}"


def _any_spelling(dist: str) -> str:
    return dist.replace("-", "[-_.]")


def _check(draft: Draft) -> Iterable[str]:
    stated = draft.inputs.stated
    yield from (Heading("%check"), "%if %{with check}")
    if stated.import_check:
        yield from _import_check(draft)
    yield from _script(stated.check)
    yield from ("%endif", "")


def _import_check(draft: Draft) -> Iterable[str]:
    """Import what is installed at the top; where that is a namespace, which is none of ours, what is below.

    Below a namespace beside modules of its own, a project has plugins for what it doesn't require. Modules of
    tests are not imported: what they need is not required either.
    """
    inspection = draft.inputs.inspection
    tests = [name for name in inspection.modules if name in inspection.tests]
    tops = [name for name in inspection.modules if "." not in name and name not in tests]
    below = [name for name in inspection.modules if "." in name]
    if tops or not below:
        private = ["_*"] if any(name.startswith("_") for name in tops) else []
        excluded = [*private, *tests, *draft.inputs.stated.not_imported]
        yield "%pyproject_check_import -t" + "".join(f" -e '{name}'" for name in excluded)
    names = {*draft.inputs.stated.imports, *(() if tops else below)}
    left_out = draft.inputs.stated.not_imported
    names = {name for name in names if not any(fnmatch.fnmatchcase(name, glob) for glob in left_out)}
    if names:
        yield f"%py3_check_import {' '.join(sorted(names))}"


def _changelog(draft: Draft) -> Sequence[str]:
    inputs = draft.inputs
    day = datetime.fromisoformat(inputs.lock.uploaded)
    # not strftime: %a and %b would be in the language of whoever runs it
    weekday = _DAYS[day.weekday()]
    month = _MONTHS[day.month - 1]
    epoch = f"{_epoch(draft)}:" if _epoch(draft) else ""
    return (
        Heading("%changelog"),
        f"* {weekday} {month} {day.day:02} {day.year} {AUTHOR} - "
        f"{epoch}{draft.version.version}-{inputs.stated.release}",
        f"- {literal(inputs.metadata.name)} {inputs.metadata.version} for OpenStack {inputs.release.series}",
    )


def _tag(name: str, value: str) -> str:
    return f"{name + ':':<16}{value}"

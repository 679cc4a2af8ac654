"""Metadata of the project in a source: read statically wherever upstream stated it statically.

Which statement wins, for the requirements (and for the other fields in the same order):

1. the sdist's PKG-INFO, where its Metadata-Version is 2.2 or newer and the field is not ``Dynamic``, or its
   backend makes PKG-INFO and the wheel's metadata from the same data;
2. what setuptools left in the sdist's egg-info;
3. ``[project]`` of pyproject.toml, or what setup.cfg and setup.py state as plain values;
4. the backend's own hook, run by a :class:`HookRunner` in a sealed root. Nothing of a source runs here.

Build requirements are the stated ones, and what the hook adds where code of the source's own may add some. A
backend in the source that says nothing of that hook has the known backend's that it wraps, so it isn't run.
Where the hook's root can't be had, since what it needs will only be built, the stated ones stand: a package
whose build needs more fails in its sealed root, which says so.
"""

from __future__ import annotations

import posixpath
import re
from typing import Protocol

from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import ValidationError

from rdo.common.errors import RdoError
from rdo.upstream import pyproject as pep621
from rdo.upstream.egginfo import SetupCfg, parse_entry_points, parse_requires
from rdo.upstream.models import BuildSystem, HookSubject, Metadata, Source
from rdo.upstream.names import mistakes
from rdo.upstream.sdist import SdistContents, read_sdist
from rdo.upstream.setuppy import SetupCall, read_setup_py

# Goes up when anything here changes what is read, so that cached results are read anew.
READER_VERSION = 21

_TOP_FILES = frozenset({"PKG-INFO", "pyproject.toml", "setup.cfg", "setup.py"})
_EGG_FILES = frozenset({"PKG-INFO", "requires.txt", "entry_points.txt"})
# grpcio's is src/python/grpcio/grpcio.egg-info
_EGG_DEPTH = 3
_LICENSE_FILE = re.compile(r"(licen[cs]e|copying|notice|authors)[^/]*", re.IGNORECASE)


class MetadataError(RdoError):
    """A source doesn't say what has to be known of it."""


class NoHookRootError(RdoError):
    """A backend can't be run: the platform has not got what it needs."""


class HookRunner(Protocol):
    """Runs PEP 517 hooks of a source, in a sealed root without network."""

    def requires_for_build_wheel(self, subject: HookSubject) -> list[str]:
        """Return what ``get_requires_for_build_wheel`` adds.

        :raises NoHookRootError: the backend can't be run
        """

    def core_metadata(self, subject: HookSubject) -> str:
        """Return the text of METADATA that ``prepare_metadata_for_build_wheel`` makes.

        :raises NoHookRootError: the backend can't be run
        """


def read_metadata(source: Source, hooks: HookRunner | None = None) -> Metadata:
    """Read the metadata of a source.

    :param hooks: runs a backend where nothing static is there; without one, such a source is an error, and
        build requirements that code computes are left out (``BuildSystem.exact`` is False then)
    :raises SdistError: the archive is damaged or unsafe
    :raises MetadataError: what is needed isn't stated, and there is no hook runner; a name isn't one
    """
    return _Reader(source, read_sdist(source, _wanted)).read(hooks)


def _wanted(name: str) -> bool:
    if name in _TOP_FILES:
        return True
    folder, _, base = name.rpartition("/")
    return base in _EGG_FILES and folder.endswith(".egg-info") and folder.count("/") <= _EGG_DEPTH


class _Reader:
    """The files of one source that say something, parsed."""

    def __init__(self, source: Source, contents: SdistContents) -> None:
        self.source, self.contents = source, contents
        self.pyproject = pep621.parse_pyproject(contents.text("pyproject.toml"), source.filename)
        self.project = pep621.subtable(self.pyproject, "project")
        self.setup_cfg = SetupCfg(contents.text("setup.cfg"))
        setup_py = contents.text("setup.py")
        self.setup_py = read_setup_py(setup_py) if setup_py is not None else SetupCall()
        self.setup_py_text = setup_py or ""
        self.info: RawMetadata = {}
        if (text := contents.texts.get("PKG-INFO")) is not None:
            self.info = _parse_core(text)
        self.egg_info = self._find_egg_info()

    def read(self, hooks: HookRunner | None) -> Metadata:
        system = self._build_system(hooks)
        requirements, how = self._requirements(system)
        if requirements is None or not self._name() or not self._version():
            if hooks is None:
                raise MetadataError(
                    f"{self.source.filename} doesn't state its metadata; only its build backend "
                    f"({system.backend}) knows it.",
                    hint="It has to run in a sealed root, and none is available here.",
                )
            self.info = _parse_core(hooks.core_metadata(self._subject(system)).encode())
            requirements, how = list(self.info.get("requires_dist", [])), "hook"
        points = self._entry_points()
        fields = {
            "name": self._name(),
            "dist": canonicalize_name(self._name()),
            "version": self._version(),
            "requires_dist": tuple(requirements),
            "extras": self._extras(requirements),
            "build_system": system,
            "console_scripts": points.pop("console_scripts", {}),
            "entry_points": points,
            "files": self.contents.files,
            "top_folder": self.contents.top_folder,
            "how": how,
        }
        try:
            return Metadata.model_validate(fields | self._prose() | self._licenses())
        except ValidationError as error:
            raise MetadataError(
                f"{self.source.filename} states what no package can have:\n{mistakes(error)}",
                hint="Upstream has to mend that, or a patched source has to be taken.",
            ) from error

    # requirements

    def _requirements(self, system: BuildSystem) -> tuple[list[str] | None, str]:
        version = tuple(int(n) for n in self.info.get("metadata_version", "0").split(".") if n.isdigit())
        # the names in Dynamic are lower-cased by the parser
        dynamic = {name.lower() for name in self.info.get("dynamic", [])}
        trusted = version >= (2, 2) or (bool(self.info) and system.backend in pep621.DECLARATIVE_BACKENDS)
        if trusted and not {"requires-dist", "provides-extra"} & dynamic:
            return list(self.info.get("requires_dist", [])), "static"
        if self.egg_info is not None:
            return parse_requires(self.contents.text(f"{self.egg_info}/requires.txt") or ""), "egg-info"
        if self.project:
            return pep621.requirements(self.pyproject), "pyproject"
        if system.backend in pep621.SETUPTOOLS_BACKENDS and "pbr" not in self.setup_py.values:
            return self._setuptools_requirements(), "static"
        return None, "hook"

    def _setuptools_requirements(self) -> list[str] | None:
        """Return what setup.cfg or setup.py state as plain values; [] where they never speak of it."""
        stated = self.setup_cfg.value("options", "install_requires")
        if stated is not None and not stated.startswith("file:"):
            plain = self.setup_cfg.requirements("install_requires")
        elif "install_requires" in self.setup_py.values:
            plain = self.setup_py.strings("install_requires")
        elif stated is None and self.setup_py_text and "install_requires" not in self.setup_py_text:
            plain = []
        else:
            return None
        extras = self.setup_cfg.extras()
        return plain + [pep621.with_extra(item, extra) for extra in extras for item in extras[extra]]

    def _extras(self, requirements: list[str]) -> tuple[str, ...]:
        stated = list(self.info.get("provides_extra", []))
        stated += pep621.subtable(self.project, "optional-dependencies")
        for requirement in requirements:
            stated += re.findall(r"""extra\s*==\s*["']([^"']+)["']""", requirement)
        return tuple(dict.fromkeys(canonicalize_name(extra) for extra in stated))

    # build system

    def _build_system(self, hooks: HookRunner | None) -> BuildSystem:
        system = pep621.build_system(self.pyproject)
        if system.backend_path and not system.exact and (wrapped := self._wrapped(system)) is not None:
            system = system.model_copy(update={"wraps": wrapped, "exact": True})
        requires, exact = list(system.requires), system.exact
        if system.backend in pep621.SETUPTOOLS_BACKENDS or system.backend_path:
            requires += self.setup_cfg.requirements("setup_requires")
            requires += self.setup_py.strings("setup_requires")
            if "setup_requires" in self.setup_py.computed:
                exact = False
            if self.setup_py.unread and "setup_requires" in self.setup_py_text:
                exact = False
        own = canonicalize_name(self._name())
        others = tuple(r for r in _well_formed(requires) if canonicalize_name(Requirement(r).name) != own)
        known = system.model_copy(update={"requires": others, "exact": exact})
        if exact or hooks is None:
            return known
        try:
            added = hooks.requires_for_build_wheel(self._subject(known))
        except NoHookRootError:
            return known
        return known.model_copy(update={"requires": _well_formed([*known.requires, *added]), "exact": True})

    def _wrapped(self, system: BuildSystem) -> str | None:
        """Return the known backend of which a backend in the source has its hook for requirements."""
        module = system.backend.partition(":")[0].replace(".", "/")
        names = {
            posixpath.normpath(posixpath.join(folder, f"{module}{end}"))
            for folder in system.backend_path
            for end in (".py", "/__init__.py")
        }
        texts = read_sdist(self.source, names.__contains__).texts
        return next((pep621.wrapped_backend(text) for text in texts.values()), None)

    def _subject(self, system: BuildSystem) -> HookSubject:
        return HookSubject(
            source=self.source,
            dist=canonicalize_name(self._name()),
            build_system=system,
            files=self.contents.files,
        )

    # the other fields

    def _name(self) -> str:
        stated = self.info.get("name") or self.project.get("name") or self.setup_cfg.value("metadata", "name")
        return str(stated or next(iter(self.setup_py.strings("name")), ""))

    def _version(self) -> str:
        literal = self.setup_cfg.value("metadata", "version") or ""
        if literal.startswith(("attr:", "file:")):
            literal = ""
        stated = self.info.get("version") or self.project.get("version") or literal
        return str(stated or next(iter(self.setup_py.strings("version")), ""))

    def _prose(self) -> dict[str, object]:
        info, urls = self.info, dict(self.info.get("project_urls", {}))
        urls |= {str(k): str(v) for k, v in pep621.subtable(self.project, "urls").items() if k not in urls}
        by_label = {re.sub(r"[\W_]", "", label).lower(): url for label, url in urls.items()}
        labels = ("homepage", "home", "source", "sourcecode", "repository", "documentation")
        summary = info.get("summary") or self.project.get("description") or ""
        return {
            "summary": " ".join(str(summary).split()),
            "description": info.get("description") or "",
            "classifiers": tuple(info.get("classifiers", [])),
            "home_page": info.get("home_page")
            or next((by_label[label] for label in labels if label in by_label), None),
            "requires_python": info.get("requires_python") or self.project.get("requires-python"),
        }

    def _licenses(self) -> dict[str, object]:
        info, stated = self.info, self.project.get("license")
        expression = info.get("license_expression") or (stated if isinstance(stated, str) else None)
        text = info.get("license")
        if text is None and isinstance(stated, dict):
            text = stated.get("text")
        text = text or self.setup_cfg.value("metadata", "license")
        present = set(self.contents.files)
        files = [name for name in info.get("license_files", []) if name in present]
        if not files:
            files = [name for name in self.contents.files if _LICENSE_FILE.fullmatch(name)]
        return {
            "license_expression": expression,
            "license": text,
            "license_files": tuple(dict.fromkeys(posixpath.normpath(name) for name in files)),
        }

    def _entry_points(self) -> dict[str, dict[str, str]]:
        """Merge what is stated in several places; the egg-info is what setuptools really made of it.

        That may be nothing: a setup.cfg may keep pbr's section although pbr doesn't read it any more.
        """
        if self.egg_info is not None:
            return parse_entry_points(self.contents.text(f"{self.egg_info}/entry_points.txt") or "")
        points = self.setup_cfg.entry_points()
        for group, entries in pep621.entry_points(self.pyproject).items():
            points.setdefault(group, {}).update(entries)
        if scripts := pep621.scripts(self.pyproject):
            points.setdefault("console_scripts", {}).update(scripts)
        return points

    def _find_egg_info(self) -> str | None:
        """Return the project's own egg-info folder (others may lie in test data)."""
        folders = {name.rpartition("/")[0] for name in self.contents.texts if ".egg-info/" in name}
        own = canonicalize_name(self._name())
        mine = [f for f in folders if canonicalize_name(posixpath.basename(f)[: -len(".egg-info")]) == own]
        return min(mine, key=lambda f: (f.count("/"), f), default=None)


def _parse_core(data: bytes) -> RawMetadata:
    raw, unparsed = parse_email(data)
    # a field that is stated twice is no reason to lose it
    if "summary" not in raw and unparsed.get("summary"):
        raw["summary"] = str(unparsed["summary"][0])
    if "description" not in raw and unparsed.get("description"):
        raw["description"] = str(unparsed["description"][-1])
    return raw


def _well_formed(requirements: list[str]) -> tuple[str, ...]:
    """Drop what is no requirement; ``a;b;c`` where a marker should be is a list."""
    kept: list[str] = []
    for stated in requirements:
        for candidate in [stated] if _is_requirement(stated) else stated.split(";"):
            if _is_requirement(candidate.strip()):
                kept.append(candidate.strip())
    return tuple(dict.fromkeys(kept))


def _is_requirement(text: str) -> bool:
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True

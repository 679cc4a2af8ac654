"""Sdists whose metadata and file names mean something to RPM, the shell or a terminal; and their tame twins.

A twin has the same things under harmless names. A hostile text must do no more to a spec than its twin does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from rdo.distribution.description import PackageDescription, Service
from rdo.distribution.models import SourceLock
from rdo.packaging.inspection import inspect
from rdo.packaging.naming import source_package
from rdo.packaging.resolution_model import Node
from rdo.packaging.spec import generate
from rdo.packaging.spec_model import GeneratedSpec, SpecInputs
from rdo.upstream.metadata import read_metadata
from rdo.upstream.models import Metadata
from tests.unit.packaging.recorded_packages import platform, release
from tests.unit.upstream.sdists import make_sdist

#: What was made to run by a spec shows as this file.
TRACE = "/tmp/was-here"
_PIECES = (
    *(
        "%",
        "%%",
        "%%%",
        "\\",
        " ",
        '"',
        "'",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "*",
        "?",
        "#",
        ";",
        "&",
        "$",
        "`",
        "|",
    ),
    *("-", "~", "^", "!", ",", ".", "a", "ü", "日", "=", "<", ">", ":", "@", "+", "Z9"),
    *(f"%(touch {TRACE})", f"%{{lua:posix.mkdir('{TRACE}')}}", f"$(touch {TRACE})", f"`touch {TRACE}`"),
    *(
        "%{nil}",
        "%{name}",
        "%{buildroot}",
        "%{?x:y}",
        "%[1+1]",
        "%define x y",
        "%global x y",
        "%dnl x",
        "%{dnl x}",
    ),
    *(
        "%install",
        "%post",
        "%POST -n x",
        "%files",
        "%files /etc/passwd",
        "%changelog",
        "%package -n x",
        "%end",
    ),
    *(
        "%description",
        "%include /etc/passwd",
        "%if 0",
        "%else",
        "%endif",
        "%ifarch x",
        "%attr(4755,root,root)",
    ),
    *(
        "/etc/passwd",
        "Requires: x",
        "Obsoletes: glibc",
        "%config",
        "%ghost /etc/x",
        "%dir",
        "-f x",
        "%{",
        "%(",
        "%[",
    ),
)
# In TOML and Python every character can be written.
_CONTROL = ("\n", "\n%post\n", "\r", "\x00", "\x1b[2J", "\x0b", "\x7f", "\x85", "\u2028", "\u202e", "\t")


def texts(*, control: bool = True) -> st.SearchStrategy[str]:
    """Return hostile texts, in which blanks are around words as often as not."""
    pieces = st.sampled_from([*_PIECES, *(_CONTROL if control else ())])
    joined = st.lists(pieces, min_size=1, max_size=5)
    return st.builds(lambda words, blank: (" " if blank else "").join(words), joined, st.booleans())


def file_names() -> st.SearchStrategy[str]:
    """Return hostile names that a file can have in an archive."""
    names = texts(control=False).map(lambda text: text.replace("/", "").replace("\\", ""))
    return names.filter(lambda name: name.strip(". ") != "")


@dataclass(frozen=True)
class Case:
    """One source: its texts by their place."""

    texts: dict[str, str]
    is_service: bool

    @property
    def twin(self) -> Case:
        """The same with harmless texts."""
        tame = {place: f"tame{number}" for number, place in enumerate(sorted(self.texts))}
        # where a text stands for more than a name, the twin's is of the same kind
        said = {
            "summary": "A tame thing",
            "description": "This is a tame library, and nothing more than that.",
        }
        return Case({place: said.get(place, tame[place]) for place in self.texts}, self.is_service)

    def spec(self, folder: Path) -> GeneratedSpec:
        """Read the source and generate its spec.

        :raises RdoError: it is refused
        """
        return generate(self._inputs(folder))

    def metadata(self, folder: Path) -> Metadata:
        """Read the source's metadata."""
        return read_metadata(make_sdist(folder, "oslo_log", "1.0", self._files()))

    def _inputs(self, folder: Path) -> SpecInputs:
        source = make_sdist(folder, "oslo_log", "1.0", self._files())
        metadata = read_metadata(source)
        here, under = release(), platform()
        project = here.project_of("oslo-log")
        described = PackageDescription(
            project="oslo.log", service=Service(docs=False) if self.is_service else None
        )
        return SpecInputs(
            release=here,
            platform=under,
            node=Node(
                dist="oslo-log",
                version="1.0",
                origin="build",
                package="openstack-log" if self.is_service else source_package("oslo-log", project),
                reasons=(),
            ),
            metadata=metadata,
            inspection=inspect(source, metadata),
            lock=SourceLock(
                dist="oslo-log",
                version="1.0",
                filename=source.filename,
                sha256=source.sha256,
                size=1,
                uploaded="2026-01-02T03:04:05Z",
            ),
            project=project,
            description=described,
        )

    def _files(self) -> dict[str, str]:
        text = self.texts.get
        files = {"oslo_log/__init__.py": "", "LICENSE": "", "PKG-INFO": self._pkg_info()}
        tables = ["[build-system]", 'requires = ["setuptools"]', 'build-backend = "setuptools.build_meta"']
        tables += ["[project]", 'name = "oslo.log"', f"version = {toml(text('version', '1.0'))}"]
        tables += (
            [f"description = {toml(text('summary', 'A thing'))}"] if "pkg-info" not in self.texts else []
        )
        if "command" in self.texts:
            tables += ["[project.scripts]", f"{toml(self.texts['command'])} = 'oslo_log:main'"]
        if "page" in self.texts:
            tables += ["[project.urls]", f"Homepage = {toml('https://example.org/' + self.texts['page'])}"]
        if "extra" in self.texts:
            tables += ["[project.optional-dependencies]", f"{toml(self.texts['extra'])} = ['chardet']"]
        if "data" in self.texts:
            files[f"data/{self.texts['data']}"] = ""
            tables += ["[tool.setuptools.data-files]", "'share/oslo.log' = ['data/*']"]
        for place, name in (
            ("module", "oslo_log/data/{}.txt"),
            ("licence file", "LICENSE.{}"),
            ("tests", "oslo_log/{}/tests/__init__.py"),
            ("locale", "oslo_log/{}/locale/de/LC_MESSAGES/oslo_log.po"),
            ("catalogue", "oslo_log/locale/de/LC_MESSAGES/{}.po"),
            ("settings", "etc/oslo.log/s{}.yaml"),
        ):
            if place in self.texts:
                files[name.format(self.texts[place])] = _CATALOGUE if place in ("locale", "catalogue") else ""
        if "generated" in self.texts:
            output = " ".join(self.texts["generated"].split())
            files["etc/x-config-generator.conf"] = (
                f"[DEFAULT]\noutput_file = etc/{output}\nnamespace = oslo.log\n"
            )
        if "script" in self.texts:
            files["setup.py"] = f"from setuptools import setup\nsetup(scripts=[{self.texts['script']!r}])\n"
        tables += [
            "[tool.setuptools.packages.find]",
            "include = ['oslo_log']",
            "[tool.setuptools.package-data]",
        ]
        tables += ["oslo_log = ['**/*']"]
        return {**files, "pyproject.toml": "\n".join(tables) + "\n"}

    def _pkg_info(self) -> str:
        lines = ["Metadata-Version: 2.2", "Name: oslo.log", "License: MIT"]
        if "version" not in self.texts:
            lines.append("Version: 1.0")
        if "pkg-info" in self.texts:
            lines.append(f"Summary: {' '.join(self.texts['summary'].split()) or 'x'}")
        if "extra" in self.texts:
            lines += ['Requires-Dist: chardet; extra == "kafka"', f"Provides-Extra: {self.texts['extra']}"]
        return "\n".join(lines) + "\n\n" + self.texts.get("description", "")


_CATALOGUE = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "yes"\nmsgstr "ja"\n'


def is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return text == text.strip()


def toml(text: str) -> str:
    """Return a text as TOML has it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


_SENTENCE = " is what this library calls its first phase here, and what is said of it is a sentence."
_KINDS: dict[str, Callable[[], st.SearchStrategy[str]]] = {
    "summary": lambda: texts(),
    "description": lambda: texts().map(lambda text: text + _SENTENCE) | texts(),
    "command": lambda: texts(),
    "script": lambda: texts(),
    "extra": lambda: texts(),
    "page": lambda: texts(),
    "version": lambda: texts().map(lambda text: f"1.0{text}").filter(lambda text: not is_version(text)),
    "generated": lambda: texts(control=False).filter(lambda text: bool(text.strip())),
    # rpm loses documents with an apostrophe, so those are not listed
    "licence file": lambda: file_names().filter(lambda name: "'" not in name),
    **dict.fromkeys(("data", "module", "tests", "locale", "catalogue", "settings"), file_names),
}


@st.composite
def cases(draw: st.DrawFn, *, refused: bool = True) -> Case:
    """Return sources with a few hostile texts.

    :param refused: also such texts as make no package at all
    """
    never = () if refused else ("command", "script", "extra", "version", "generated", "catalogue")
    places = draw(st.sets(st.sampled_from(sorted(_KINDS.keys() - never)), min_size=1, max_size=5))
    found = {place: draw(_KINDS[place]()) for place in sorted(places)}
    if "summary" in found and draw(st.booleans()):
        found["pkg-info"] = "x"
    return Case(found, draw(st.booleans()))


# the text of a spec, as rpm sees it

_SECTION = re.compile(
    r"%(package|description|prep|generate_buildrequires|conf|build|install|check|clean|files|changelog|end|"
    r"patchlist|sourcelist|sepolicy|verifyscript|(pre|post)(un|trans|untrans)?|"
    r"(trans)?(file)?trigger(in|un|prein|postun)?)(\s.*)?",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"\s*%(if\w*|el\w*|endif|include)\b.*", re.IGNORECASE)
_MACRO = re.compile(r"%(?:\{[^}]*|[(\[].{0,12}|\w+)")
_MARKS = re.compile(r"%(?:config|attr|dir|doc|license|exclude|verify|ghost|lang)(?:\([^)]*\))?\s+")


def structure(text: str) -> list[str]:
    """Return sections and conditions in their order, found after macros are expanded, as rpm does it."""
    lines = (line.replace("%{nil}", "").replace("%%", "%") for line in text.split("\n"))
    return [line.strip() for line in lines if _SECTION.fullmatch(line) or _CONDITION.fullmatch(line)]


def macros(text: str) -> list[str]:
    """Return what rpm expands in a spec, and where macros would begin: ``%{name``."""
    return sorted(_MACRO.findall(text.replace("%%", "").replace("%{nil}", "")))


def listed(text: str) -> list[str]:
    """Return the paths of all lists of files, as rpm reads their lines.

    :raises ValueError: a line has more than one path
    """
    found, inside = [], False
    for line in text.split("\n"):
        if line.startswith("%files"):
            inside = True
        elif _SECTION.fullmatch(line):
            inside = False
        elif inside and line:
            path = line
            while match := _MARKS.match(path):
                path = path[match.end() :]
            if not re.fullmatch(
                r"""(?:[^\s\\"'\[\]{}?*]|\\.|%\{\w+\}|(?<=[./\w])\*$|/\*\.dist-info|/\*-nspkg)+""", path
            ):
                raise ValueError(f"not one path: {line}")
            found.append(re.sub(r"\\(.)", r"\1", path).replace("%%", "%"))
    return found

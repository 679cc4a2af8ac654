"""What a sdist's own files say beyond its metadata: modules, compiled code, tests, translations, data files.

Nothing of the source is run. The result depends on the sdist alone and is kept by its hash.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rdo.common.errors import RdoError
from rdo.common.files import write_atomically
from rdo.packaging.licence_texts import licence_of_text
from rdo.upstream.egginfo import SetupCfg
from rdo.upstream.models import Metadata, Source
from rdo.upstream.names import FileName, GeneratedPath, ModuleName, PathText, is_file, mistakes
from rdo.upstream.pyproject import parse_pyproject, subtable
from rdo.upstream.sdist import SdistContents, read_sdist
from rdo.upstream.setuppy import SetupCall, read_setup_py

# Goes up when anything here changes what is found, so that cached results are made anew.
INSPECTION_VERSION = 23

Language = Literal["c", "c++", "cython", "rust"]

_LANGUAGES: dict[str, Language] = {
    ".c": "c",
    ".cc": "c++",
    ".cpp": "c++",
    ".cxx": "c++",
    ".pyx": "cython",
    ".rs": "rust",
}
_COMPILING_BACKENDS = ("maturin", "mesonpy", "scikit_build_core.build", "setuptools_rust")
_COMPILING_CALLS = re.compile(
    r"\bext_modules\s*=|\bExtension\s*\(|\bcffi_modules\s*=|\brust_extensions\s*=|\bRustExtension\s*\("
)
_NOT_MODULE_WORDS = """
    bench benchmark benchmarks build ci contrib devtools dist doc docs etc example examples extras playbooks
    releasenotes requirements roles sample samples scripts spec specs test testing tests tools typings
"""
_GENERATOR_NAMES = ("-config-generator.conf", "-policy-generator.conf")
_NOT_MODULES = frozenset(_NOT_MODULE_WORDS.split())
_DOC_FILE = re.compile(r"(readme|changelog|changes|history|news|authors|contributors)(\.\w+)*", re.IGNORECASE)
_LICENCE_FILE = re.compile(r"(licen[cs]e|copying|notice)([-._].*)?", re.IGNORECASE)


class InspectionError(RdoError):
    """A sdist has names that no package can have."""


class Inspection(BaseModel):
    """What was found in one sdist. Paths are relative to its top folder unless said otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    modules: tuple[ModuleName, ...] = Field(default=(), description="import names; dotted below namespaces")
    languages: tuple[Language, ...] = Field(default=(), description="of compiled modules; () is pure Python")
    tests: tuple[PathText, ...] = Field(default=(), description="folders of tests, below site-packages")
    locales: tuple[PathText, ...] = Field(default=(), description="folders <module>/locale with .po files")
    scripts: tuple[FileName, ...] = Field(default=(), description="script files' names, entry points apart")
    data_files: tuple[tuple[PathText, PathText], ...] = Field(
        default=(), description="(installed path below the prefix, file in the sdist)"
    )
    namespaces: tuple[str, ...] = Field(
        default=(), description="packages that setuptools calls namespaces; it installs a .pth file for them"
    )
    headers: bool = Field(default=False, description="installs C headers, to a folder of its own name")
    doc_files: tuple[PathText, ...] = ()
    licence_files: tuple[PathText, ...] = ()
    licence_text: tuple[str, str] | None = Field(
        default=None, description="(SPDX identifier, file) by the wording of a licence file"
    )
    config_generators: tuple[tuple[PathText, GeneratedPath], ...] = Field(
        default=(),
        description="(input of oslo-config-generator, file it makes: keystone.conf, etc/nova/nova.conf)",
    )
    option_namespaces: tuple[str, ...] = Field(
        default=(), description="whose options are in the files that oslo-config-generator makes"
    )
    policy_generators: tuple[tuple[PathText, GeneratedPath], ...] = Field(
        default=(), description="(input of oslopolicy-sample-generator, name of the file it makes)"
    )


def inspect(source: Source, metadata: Metadata) -> Inspection:
    """Look through a sdist.

    :raises SdistError: the archive is damaged or unsafe
    :raises InspectionError: it has names that no package can have
    """
    inspector = _Inspector(source.filename, read_sdist(source, _wanted), metadata)
    try:
        return inspector.inspection()
    except ValidationError as error:
        raise InspectionError(
            f"{source.filename} states what no package can have:\n{mistakes(error)}",
            hint="Upstream has to mend that, or a patched source has to be taken.",
        ) from error


def cached_inspection(folder: Path, source: Source, metadata: Metadata) -> Inspection:
    """Do what :func:`inspect` does, keeping the result in ``folder`` by the sdist's hash."""
    name = f"inspection-{INSPECTION_VERSION}"
    place = folder / name / source.sha256[:2] / f"{source.sha256}.json"
    try:
        return Inspection.model_validate_json(place.read_bytes())
    except (FileNotFoundError, ValidationError):
        found = inspect(source, metadata)
        write_atomically(place, found.model_dump_json(), durable=False)
        return found


def _wanted(name: str) -> bool:
    folder, base = posixpath.split(name)
    if not folder:
        is_text = bool(_LICENCE_FILE.fullmatch(base))
        return is_text or base in ("setup.py", "setup.cfg", "pyproject.toml")
    if folder.endswith(".egg-info"):
        return base in ("top_level.txt", "namespace_packages.txt")
    return base.endswith((".conf", ".ini")) and _may_be_generators(folder, base)


def _may_be_generators(folder: str, base: str) -> bool:
    """Tell whether a file may be an input of oslo's generators; the places vary between projects."""
    parts = folder.split("/")
    if parts[0] in ("config-generator", "etc", "tools"):
        return len(parts) <= 3
    # beside the modules their names say it: aodh/cmd/aodh-config-generator.conf
    return base.endswith(_GENERATOR_NAMES) and not _NOT_MODULES.intersection(parts)


class _Inspector:
    def __init__(self, filename: str, contents: SdistContents, metadata: Metadata) -> None:
        self.filename, self.contents, self.metadata = filename, contents, metadata
        self.files = contents.files
        self.pyproject = parse_pyproject(contents.text("pyproject.toml"), filename)
        self.setup_cfg = SetupCfg(contents.text("setup.cfg"))
        self.setup_text = contents.text("setup.py") or ""
        self.setup_py = read_setup_py(self.setup_text) if self.setup_text else SetupCall()
        self.base = self._base()
        self.namespaces = self._declared_namespaces()
        self.below = [name.removeprefix(self.base) for name in self.files if name.startswith(self.base)]

    def inspection(self) -> Inspection:
        generators = self._generators()
        return Inspection(
            modules=self._modules(),
            languages=self._languages(),
            tests=self._tests(),
            locales=self._locales(),
            scripts=self._scripts(),
            data_files=self._data_files(),
            namespaces=tuple(sorted(self.namespaces)),
            headers="headers" in self.setup_py.values or "headers" in self.setup_py.computed,
            doc_files=self._top(_DOC_FILE, skip=("AUTHORS", "AUTHORS.rst", "ChangeLog")),
            licence_files=self._licence_files(),
            licence_text=self._licence_text(),
            config_generators=generators[0],
            policy_generators=generators[1],
            option_namespaces=self._option_namespaces(generators[0]),
        )

    def _base(self) -> str:
        """Return where modules lie in the sdist: ``src/``, ``lib/`` or the top."""
        find = subtable(self.pyproject, "tool", "setuptools", "packages", "find").get("where")
        package_dir = subtable(self.pyproject, "tool", "setuptools", "package-dir").get("")
        in_setup = self.setup_py.values.get("package_dir")
        if package_dir is None and isinstance(in_setup, dict):
            package_dir = in_setup.get("")
        stated = find[0] if isinstance(find, list) and find else package_dir
        if isinstance(stated, str) and stated not in ("", "."):
            return stated.strip("/") + "/"
        for candidate in ("src/", "lib/", "lib3/", "python/"):
            if any(re.fullmatch(rf"{candidate}([a-z]\w*/){{1,3}}__init__\.py", name) for name in self.files):
                return candidate
            if candidate == "src/" and any(re.fullmatch(r"src/\w+\.py", name) for name in self.files):
                return candidate
        return ""

    # modules

    def _modules(self) -> tuple[str, ...]:
        if "__init__.py" in self.files:
            # the top folder itself is the package (ruamel.yaml)
            return (self.metadata.name.replace("-", "_"),)
        tops = self._stated_tops() or self._found_tops()
        found = [leaf for top in tops for leaf in self._leaves(top)]
        return tuple(sorted(dict.fromkeys(found)))

    def _declared_namespaces(self) -> frozenset[str]:
        """Return packages that setuptools calls namespaces: their __init__.py isn't installed."""
        names = [name for name in self.contents.texts if name.endswith("/namespace_packages.txt")]
        return frozenset(row for name in names for row in (self.contents.text(name) or "").split())

    def _stated_tops(self) -> list[str]:
        """Return the top-level names that setuptools wrote into the sdist's egg-info."""
        for name in self.contents.texts:
            if name.endswith(".egg-info/top_level.txt"):
                rows = (self.contents.text(name) or "").split()
                tops = [row for row in rows if row not in _NOT_MODULES or len(rows) == 1]
                return [row for row in tops if row.isidentifier() and self._has(row)]
        return []

    def _has(self, top: str) -> bool:
        return any(name == f"{top}.py" or name.startswith(f"{top}/") for name in self.below)

    def _found_tops(self) -> list[str]:
        tops = {name.split("/")[0] for name in self.below if re.fullmatch(r"\w+/__init__\.py", name)}
        tops |= {name[:-3] for name in self.below if re.fullmatch(r"[A-Za-z]\w*\.py", name)}
        tops -= _NOT_MODULES | {"setup", "conftest", "noxfile", "hatch_build", "build", "tasks"}
        expected = re.sub(r"[-.]", "_", self.metadata.name).lower()
        by_name = [top for top in tops if top.lower() == expected]
        if by_name and not self.base:
            return by_name
        namespace = self.metadata.name.replace("-", ".").split(".")[0]
        if not tops and any(name.startswith(f"{namespace}/") for name in self.below):
            return [namespace]
        return sorted(tops)

    def _leaves(self, top: str, depth: int = 0) -> list[str]:
        """Return the packages at the end of a namespace; a package with code of its own is its own end."""
        folder = top.replace(".", "/") + "/"
        inside = [name for name in self.below if name.startswith(folder)]
        own_code = f"{folder}__init__.py" in inside and top not in self.namespaces
        if not inside or own_code or depth > 3:
            return [top]
        children = {name.removeprefix(folder).split("/")[0] for name in inside}
        names = {child.removesuffix(".py") for child in children if child.endswith(".py")}
        names |= {
            c for c in children if any(n.startswith(f"{folder}{c}/") and n.endswith(".py") for n in inside)
        }
        names = {name for name in names if name.isidentifier() and not name.startswith("_")}
        good = sorted(names - _NOT_MODULES)
        return [leaf for name in good for leaf in self._leaves(f"{top}.{name}", depth + 1)] or [top]

    # compiled code

    def _languages(self) -> tuple[Language, ...]:
        backend = self.metadata.build_system.backend
        declared = backend.startswith(_COMPILING_BACKENDS) or bool(_COMPILING_CALLS.search(self.setup_text))
        declared = declared or bool(subtable(self.pyproject, "tool", "setuptools").get("ext-modules"))
        declared = declared or bool(subtable(self.pyproject, "tool", "setuptools-rust"))
        if not declared:
            return ()
        aside = {"doc", "docs", "test", "tests", "test cases", "examples", "benchmarks", "fuzz"}
        sources = (name for name in self.files if not aside & set(name.split("/")[:-1]))
        found = {_LANGUAGES[end] for name in sources if (end := posixpath.splitext(name)[1]) in _LANGUAGES}
        if not found and re.search(r"\bcffi_modules\s*=", self.setup_text):
            found = {"c"}
        return tuple(sorted(found))

    # tests, translations

    def _tests(self) -> tuple[str, ...]:
        """Return the topmost folders named ``tests`` inside modules, where they are installed.

        A module beside others whose name ends in it is such a folder itself: heat_integrationtests.
        """
        modules = self._modules()
        roots = tuple(module.replace(".", "/") + "/" for module in modules)
        found = {name for name in modules if name.endswith("tests") and "." not in name and len(modules) > 1}
        for name in self.below:
            parts = name.split("/")
            if "tests" in parts[1:-1] and name.startswith(roots):
                found.add("/".join(parts[: parts.index("tests", 1) + 1]))
        packages = {path for path in found if f"{path}/__init__.py" in self.below}
        return tuple(sorted(path for path in packages if self._installs(path)))

    def _installs(self, path: str) -> bool:
        """Tell whether a folder of tests gets into the wheel, as far as that can be read."""
        if self.metadata.build_system.backend == "pbr.build" or "pbr" in self.setup_py.values:
            return True
        settings = "\n".join(
            self.contents.text(name) or "" for name in ("setup.py", "setup.cfg", "pyproject.toml")
        )
        if re.search(r"exclude[^\n]{0,40}[\s\S]{0,200}?tests", settings):
            return False
        stated = subtable(self.pyproject, "tool", "setuptools").get("packages")
        listed = stated if isinstance(stated, list) else self.setup_py.strings("packages")
        listed = listed or self.setup_cfg.lines("options", "packages")
        if listed and not str(listed[0]).startswith("find"):
            return path.replace("/", ".") in listed
        return True

    def _locales(self) -> tuple[str, ...]:
        found = set()
        for name in self.files:
            match = re.fullmatch(r"(.+/locale)/([^/]+)/LC_MESSAGES/([^/]+\.po)", name)
            if match and not name.startswith(("doc/", "releasenotes/")):
                if not is_file(match[2]) or not is_file(match[3]):
                    # rpm's own script lists them, and escapes nothing
                    raise InspectionError(f"{self.filename}: the catalogue {name!r} hasn't a plain name.")
                found.add(match[1])
        return tuple(sorted(found))

    # files elsewhere

    def _scripts(self) -> tuple[str, ...]:
        paths = [*self.setup_cfg.lines("files", "scripts"), *self.setup_cfg.lines("options", "scripts")]
        paths += self.setup_py.strings("scripts")
        stated = subtable(self.pyproject, "tool", "setuptools").get("script-files")
        paths += stated if isinstance(stated, list) else []
        return tuple(sorted({posixpath.basename(path) for path in paths}))

    def _data_files(self) -> tuple[tuple[str, str], ...]:
        rows: list[tuple[str, str]] = []
        table = subtable(self.pyproject, "tool", "setuptools", "data-files")
        for folder, patterns in table.items():
            rows += self._placed(folder, patterns if isinstance(patterns, list) else [patterns])
        for folder, patterns in _cfg_data_files(self.setup_cfg):
            rows += self._placed(folder, [item for item in patterns if not item.endswith("*")])
            rows += [row for item in patterns if item.endswith("*") for row in self._below(folder, item[:-1])]
        for folder, patterns in _setup_data_files(self.setup_py):
            rows += self._placed(folder, patterns)
        shared = subtable(self.pyproject, "tool", "hatch", "build", "targets", "wheel", "shared-data")
        rows += [(str(target), name) for name, target in shared.items() if name in self.files]
        return tuple(sorted(set(rows)))

    def _placed(self, folder: str, patterns: Iterable[object]) -> list[tuple[str, str]]:
        rows = []
        for pattern in patterns:
            text = str(pattern)
            for name in self.files:
                if posixpath.dirname(name) == posixpath.dirname(text) and fnmatch.fnmatchcase(name, text):
                    rows.append((posixpath.join(folder, posixpath.basename(name)), name))
        return rows

    def _below(self, folder: str, start: str) -> list[tuple[str, str]]:
        """Return what pbr makes of ``folder = start*``: all files below, in the folders that they are in."""
        start = start.rstrip("/") + "/"
        names = (name for name in self.files if name.startswith(start))
        return [(posixpath.join(folder, name.removeprefix(start)), name) for name in names]

    def _top(self, pattern: re.Pattern[str], skip: tuple[str, ...] = ()) -> tuple[str, ...]:
        names = (name for name in self.files if "/" not in name and pattern.fullmatch(name))
        return tuple(sorted(name for name in names if name not in skip))

    def _licence_files(self) -> tuple[str, ...]:
        named = [
            name for name in self.metadata.license_files if _LICENCE_FILE.fullmatch(posixpath.basename(name))
        ]
        return tuple(sorted({*named, *self._top(_LICENCE_FILE)}))

    def _licence_text(self) -> tuple[str, str] | None:
        for name in self._top(_LICENCE_FILE):
            identifier = licence_of_text(self.contents.text(name) or "")
            if identifier is not None:
                return identifier, name
        return None

    # oslo's generators

    def _option_namespaces(self, generators: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """Return the namespaces of the options that oslo-config-generator would list."""
        texts = (self.contents.text(source) or "" for source, _ in generators)
        return tuple(sorted({n for text in texts for n in re.findall(r"(?m)^namespace\s*=\s*(\S+)", text)}))

    def _generators(self) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
        config: list[tuple[str, str]] = []
        policy: list[tuple[str, str]] = []
        for name in sorted(self.contents.texts):
            text = self.contents.text(name) or ""
            if not (name.endswith((".conf", ".ini")) and re.search(r"^namespace\s*=", text, re.M)):
                continue
            made = re.search(r"^output_file\s*=\s*(\S+)", text, re.M)
            usual = posixpath.basename(name).replace("-config-generator.conf", ".conf")
            output = (made.group(1) if made else usual).removesuffix(".sample")
            if not output.startswith("etc/"):
                output = posixpath.basename(output)
            (policy if "policy" in name else config).append((name, output))
        return tuple(config), tuple(policy)


def _cfg_data_files(cfg: SetupCfg) -> list[tuple[str, list[str]]]:
    """Read pbr's ``[files] data_files``: rows of ``folder = file...``, or of files for the folder above."""
    found: list[tuple[str, list[str]]] = []
    for row in cfg.lines("files", "data_files"):
        folder, equals, rest = row.partition("=")
        if equals:
            found.append((folder.strip(), rest.split()))
        elif found:
            found[-1][1].append(row.strip())
    return found


def _setup_data_files(call: SetupCall) -> list[tuple[str, list[str]]]:
    value = call.values.get("data_files")
    rows = value if isinstance(value, list | tuple) else []
    return [
        (str(row[0]), [str(item) for item in row[1]])
        for row in rows
        if isinstance(row, list | tuple) and len(row) == 2 and isinstance(row[1], list | tuple)
    ]

"""Write the %files list of what wheels have installed (``%pyproject_save_files``), and the list of modules.

Runs inside the build root on the platform's Python, standard library only.
"""

from __future__ import annotations

import argparse
import email.parser
import fnmatch
import importlib.machinery
import json
import posixpath
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

_EXTENSIONS = (*importlib.machinery.EXTENSION_SUFFIXES, ".abi3.so", ".so")


def main() -> None:
    """Write both lists; exit with what is wrong where a glob finds nothing or a licence is missing."""
    options, globs = _arguments(sys.argv[1:])
    records = json.loads(options.record.read_text()) if options.record.exists() else []
    if not records:
        sys.exit("Nothing is installed; has %pyproject_install been called?")
    version = options.site.partition("/python")[2].partition("/")[0]
    listing = Listing(options.buildroot, options.site, f"cpython-{version.replace('.', '')}")
    auto = "+auto" in globs
    wanted = [glob.replace(".", "/") for glob in globs if not glob.startswith("+")]
    for one in records:
        listing.add_metadata(one["distinfo"], one["files"])
    if options.licence and not listing.licences:
        sys.exit("No licence file is among the metadata (-l); name it in %files and leave -l out.")
    below = [path for one in records for path in one["files"] if not listing.is_metadata(path)]
    missing = listing.add_modules(below, wanted)
    if missing and not options.no_modules:
        names = ", ".join(sorted(listing.roots(below)))
        sys.exit(f"Nothing is installed as {', '.join(missing)}. There are: {names or 'no modules'}")
    if not wanted and not options.no_modules:
        sys.exit("Name the modules, or say -M where there are none.")
    if auto:
        listing.add_rest(below)
    options.output.write_text("".join(f"{line}\n" for line in listing.lines))
    options.modules_output.write_text("".join(f"{name}\n" for name in sorted(listing.modules)))


def _arguments(given: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--buildroot", required=True)
    parser.add_argument("--site", required=True)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--modules-output", type=Path, required=True)
    # What stands after "--" comes from the spec: flags and globs in any order.
    own, stated = (
        (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    )
    options = parser.parse_args(own)
    spec = argparse.ArgumentParser(prog="%pyproject_save_files")
    licence = spec.add_mutually_exclusive_group()
    licence.add_argument("-l", dest="licence", action="store_true", help="fail where no licence is declared")
    licence.add_argument("-L", dest="licence", action="store_false", help="don't mind (the default)")
    spec.add_argument("-M", dest="no_modules", action="store_true", help="there may be no modules at all")
    spec.add_argument("globs", nargs="*")
    found = spec.parse_args(stated)
    options.licence, options.no_modules = found.licence, found.no_modules
    return options, found.globs


class Listing:
    """Lines of a %files list in the making. All paths are those in the root, without the build root."""

    def __init__(self, buildroot: str, site: str, cache_tag: str) -> None:
        self.buildroot, self.site, self.cache_tag = buildroot, site, cache_tag
        self.lines: list[str] = []
        self.modules: set[str] = set()
        self.licences: list[str] = []
        self._seen: set[str] = set()

    def is_metadata(self, path: str) -> bool:
        """Whether a path belongs to a dist-info."""
        top, _, rest = path.removeprefix(f"{self.site}/").partition("/")
        return path.startswith(f"{self.site}/") and bool(rest) and top.endswith(".dist-info")

    def add_metadata(self, distinfo: str, files: Iterable[str]) -> None:
        """List a dist-info: its folders, its files, licences marked as such."""
        declared = self._declared_licences(distinfo)
        inside = [path for path in files if path.startswith(f"{distinfo}/")]
        self._folders([*inside, f"{distinfo}/x"], distinfo)
        for path in inside:
            licence = path in declared or re.match(r"(licenses|license_files)/", path[len(distinfo) + 1 :])
            if licence:
                self.licences.append(path)
            self._line(path, "%license " if licence else "")

    def add_modules(self, files: Iterable[str], globs: list[str]) -> list[str]:
        """List the modules that globs name (``foo``, ``foo/bar``, ``*``); return globs that name nothing."""
        paths = [path for path in files if path.startswith(f"{self.site}/")]
        unmatched = set(globs)
        for path in paths:
            relative = path[len(self.site) + 1 :]
            for glob in globs:
                root = _root(relative, glob)
                if root is not None:
                    unmatched.discard(glob)
                    self._folders([path], f"{self.site}/{PurePosixPath(relative).parts[0]}")
                    self._module_file(path)
                    break
        return [glob for glob in globs if glob in unmatched]

    def add_rest(self, files: Iterable[str]) -> None:
        """List what is not listed yet (``+auto``): scripts, data, everything else of the wheels."""
        for path in files:
            self._module_file(path) if path.startswith(f"{self.site}/") else self._line(path)

    def roots(self, files: Iterable[str]) -> set[str]:
        """Return the top-level import names."""
        below = (path[len(self.site) + 1 :] for path in files if path.startswith(f"{self.site}/"))
        return {name for name in (_bare(PurePosixPath(path).parts[0]) for path in below) if name}

    def _module_file(self, path: str) -> None:
        language = _language(path)
        self._line(path, f"%lang({language}) " if language else "")
        relative = path[len(self.site) + 1 :]
        module = _module(relative)
        if module:
            self.modules.add(module)
        if path.endswith(".py"):
            folder, name = posixpath.split(path)
            cache = f"{folder}/__pycache__"
            self._folder(cache)
            for level in ("", ".opt-1"):
                self._line(f"{cache}/{name[:-3]}.{self.cache_tag}{level}.pyc")

    def _folders(self, files: Iterable[str], top: str) -> None:
        for path in files:
            folder = posixpath.dirname(path)
            missing = []
            while len(folder) >= len(top) and folder not in self._seen:
                missing.append(folder)
                folder = posixpath.dirname(folder)
            for one in reversed(missing):
                self._folder(one)

    def _folder(self, path: str) -> None:
        self._line(path, "%dir ")

    def _line(self, path: str, prefix: str = "") -> None:
        if path not in self._seen:
            self._seen.add(path)
            self.lines.append(prefix + escaped(path))

    def _declared_licences(self, distinfo: str) -> set[str]:
        with Path(f"{self.buildroot}{distinfo}/METADATA").open(encoding="utf-8", errors="replace") as stream:
            headers = email.parser.Parser().parse(stream, headersonly=True)
        names = headers.get_all("License-File", [])
        return {f"{distinfo}/{start}{name}" for name in names for start in ("", "licenses/")}


def escaped(path: str) -> str:
    """Return a path as rpm reads it back from a %files list: globs, quotes and blanks mean themselves."""
    return re.sub(r"""[\\*?\[\]{}"'\s]""", r"\\\g<0>", path).replace("%", "%%")


def _root(relative: str, glob: str) -> str | None:
    """Return the part of a path that a module glob stands for, None where it doesn't."""
    depth = glob.count("/") + 1
    parts = PurePosixPath(relative).parts
    if len(parts) < depth:
        return None
    if len(parts) == depth:
        last = _bare(parts[-1])
        if not last:
            return None
        parts = (*parts[:-1], last)
    root = "/".join(parts[:depth])
    return root if all(map(fnmatch.fnmatchcase, root.split("/"), glob.split("/"))) else None


def _bare(name: str) -> str:
    """Return the import name of a file or folder of site-packages; "" where it can't be imported."""
    for ending in (".py", *_EXTENSIONS):
        if name.endswith(ending):
            name = name[: -len(ending)]
            break
    else:
        match = re.fullmatch(r"(\w+)\.[\w-]+\.so", name)
        name = match[1] if match else name
    return name if name.isidentifier() else ""


def _module(relative: str) -> str | None:
    """Return the dotted name of a module's file; None for data, and for what runs when it is imported."""
    if not relative.endswith((".py", ".so")):
        return None
    *folders, last = PurePosixPath(relative).parts
    names = [*folders, _bare(last)]
    if not all(name.isidentifier() for name in names) or names[-1] == "__main__":
        return None
    return ".".join(names[:-1] if names[-1] == "__init__" and len(names) > 1 else names)


def _language(path: str) -> str | None:
    """Return the language of a compiled catalogue: .../locale/de/LC_MESSAGES/x.mo."""
    parts: Iterator[str] = iter(PurePosixPath(path).parts[:-1]) if path.endswith(".mo") else iter(())
    for part in parts:
        if part in ("locale", "locales"):
            return next(parts, None)
    return None


if __name__ == "__main__":
    main()

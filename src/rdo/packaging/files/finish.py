"""What is left to do with a build root once %install is through, in one walk and one process.

Byte-code for the modules, fixed shebangs, stripped binaries, compressed manual pages. The result depends on
the files and on SOURCE_DATE_EPOCH only (the caller sets PYTHONHASHSEED=0). Runs inside the build root on the
platform's Python, standard library only.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from importlib import _bootstrap_external
from pathlib import Path

import shebang  # type: ignore[import-not-found]  # lies beside this file in the root

_MANUAL = re.compile(r"/usr/share/man/(?:[^/]+/)?man[0-9a-z]+/[^/]+\.[0-9][a-z]*$")
# The word "assert"; it begins with plain letters, which makes the search for it fast.
_ASSERT = re.compile(rb"assert(?![A-Za-z0-9_])")
# Modules of more bytes altogether are compiled by two processes.
_LARGE = 4 << 20


def main() -> None:
    """Walk over the build root and do it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", required=True, help="folder of modules, as a path in the root")
    parser.add_argument("--strip", help="program that strips ELF files; left out, they stay as they are")
    parser.add_argument("--lenient", action="store_true", help="modules that don't compile are no mistake")
    parser.add_argument("--dependencies", type=Path, help="file for what dist-infos provide and require")
    parser.add_argument("buildroot", type=Path)
    arguments = parser.parse_args()
    root = str(arguments.buildroot)
    epoch = int(os.environ["SOURCE_DATE_EPOCH"]) if "SOURCE_DATE_EPOCH" in os.environ else None
    modules, binaries = [], []
    for entry in walk(root):
        inside = entry.path[len(root) :]
        if inside.startswith(f"{arguments.site}/") and inside.endswith(".py"):
            modules.append(entry.path)
        if _MANUAL.search(inside):
            compress(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            if entry.stat(follow_symlinks=False).st_mode & 0o111:
                kind = settle(Path(entry.path))
                binaries += [entry.path] if kind == "elf" else []
            elif inside.endswith(".so"):
                binaries.append(entry.path)
    if arguments.strip and binaries:
        strip(arguments.strip, binaries)
    if arguments.dependencies:
        save_dependencies(arguments.buildroot, arguments.site, arguments.dependencies)
    failed = compile_all(sorted(modules), root, epoch)
    if failed and not arguments.lenient:
        sys.exit(f"{len(failed)} modules don't compile: {' '.join(path[len(root) :] for path in failed)}")


def walk(folder: str) -> Iterator[os.DirEntry[str]]:
    """Return everything below a folder that is no folder, in the order of names."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from walk(entry.path)
        else:
            yield entry


def settle(path: Path) -> str:
    """Fix an executable's shebang, or take the bit away where nothing could run it; return what it is."""
    with path.open("rb") as stream:
        start = stream.read(4)
    if start == b"\x7fELF":
        return "elf"
    if start.startswith(b"#!"):
        if shebang.rewrite(path, shebang.fixed_line):
            print(f"{path}: shebang no longer asks env")
        return "script"
    if path.suffix != ".jar":
        print(f"{path}: has nothing that could be run, so it is no longer executable")
        path.chmod(path.stat().st_mode & ~0o111)
    return "data"


def save_dependencies(buildroot: Path, site: str, target: Path) -> None:
    """Write the dependencies of all dist-infos, as rpm's generator sees them."""
    distinfos = sorted(Path(f"{buildroot}{site}").glob("*.dist-info"))
    if distinfos:
        import dependencies  # type: ignore[import-not-found]  # lies beside this file in the root

        version = "".join(re.findall(r"/python([0-9.]+)/", site)[:1])
        dependencies.save(distinfos, buildroot, version, target)


def strip(program: str, paths: list[str]) -> None:
    """Take symbols out of ELF files. Hard links stay what they are."""
    subprocess.run(
        [program, "--strip-unneeded", "--preserve-dates", "-R", ".comment", "-R", ".note.GNU-stack", *paths],
        check=True,
    )


def compress(path: Path) -> None:
    """Replace a manual page by its gzip file; the same page gives the same bytes. Links follow."""
    target = path.with_name(f"{path.name}.gz")
    if path.is_symlink():
        target.symlink_to(f"{path.readlink()}.gz")
    else:
        target.write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
        shutil.copystat(path, target)
    path.unlink()


def compile_all(paths: list[str], root: str, epoch: int | None) -> list[str]:
    """Write the byte-code of modules; return those that can't be compiled, in order.

    Large packages take two processes, whatever the number of processors: a string that one module shares
    with another compiled before it can show in its byte-code, so the division must be the same everywhere.
    """
    sizes = {path: os.stat(path).st_size for path in paths}  # noqa: PTH116
    if sum(sizes.values()) < _LARGE:
        return [path for path in paths if not compiled(path, path[len(root) :], epoch)]
    mine, others = divided(sizes)
    sys.stdout.flush()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            failed = [path for path in others if not compiled(path, path[len(root) :], epoch)]
            with open(writer, "wb") as stream:  # noqa: PTH123
                stream.write("".join(f"{path}\0" for path in failed).encode(errors="surrogateescape"))
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
            raise
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(writer)
    failed = [path for path in mine if not compiled(path, path[len(root) :], epoch)]
    with open(reader, "rb") as stream:  # noqa: PTH123
        failed += stream.read().decode(errors="surrogateescape").split("\0")[:-1]
    if os.waitpid(child, 0)[1]:
        sys.exit("The process that compiled half of the modules failed.")
    return sorted(failed)


def divided(sizes: dict[str, int]) -> tuple[list[str], list[str]]:
    """Return paths in two parts of much the same size, each sorted."""
    parts: tuple[list[str], list[str]] = ([], [])
    totals = [0, 0]
    for path in sorted(sizes, key=lambda path: (-sizes[path], path)):
        smaller = int(totals[1] < totals[0])
        parts[smaller].append(path)
        totals[smaller] += sizes[path]
    return sorted(parts[0]), sorted(parts[1])


def levels_differ(source: bytes) -> bool:
    """Say whether a module's code may differ between the optimisation levels 0 and 1.

    Only ``assert`` statements and ``__debug__`` make it so. A statement begins a line, or follows a colon or
    a semicolon.
    """
    if b"__debug__" in source:
        return True
    for found in _ASSERT.finditer(source):
        before = source[max(0, found.start() - 200) : found.start()].rstrip(b" \t\f")
        if not before or before[-1:] in b"\r\n:;":
            return True
    return False


def compiled(path: str, shown: str, epoch: int | None) -> bool:
    """Write a module's byte-code for both optimisation levels; say whether it could be compiled.

    The source's time goes into the byte-code and must be what rpm will give the source: at most the epoch.
    """
    status = os.stat(path)  # noqa: PTH116
    mtime = int(status.st_mtime) if epoch is None else min(int(status.st_mtime), epoch)
    os.utime(path, (mtime, mtime))
    with open(path, "rb") as stream:  # noqa: PTH123 - twice as fast, and there are thousands
        source = stream.read()
    folder, name = os.path.split(path)
    cache = f"{folder}/__pycache__/{name[:-3]}.{sys.implementation.cache_tag}"
    try:
        code: types.CodeType = compile(source, shown, "exec", dont_inherit=True, optimize=0)
        second = (
            compile(source, shown, "exec", dont_inherit=True, optimize=1) if levels_differ(source) else None
        )
    except (SyntaxError, ValueError) as error:
        print(f"{shown}: {error}", file=sys.stderr)
        return False
    os.makedirs(f"{folder}/__pycache__", exist_ok=True)  # noqa: PTH103
    _write(f"{cache}.pyc", code, mtime, status.st_size)
    if second is None:
        _unlink(f"{cache}.opt-1.pyc")
        os.link(f"{cache}.pyc", f"{cache}.opt-1.pyc")
    else:
        _write(f"{cache}.opt-1.pyc", second, mtime, status.st_size)
    return True


def pyc(code: types.CodeType, mtime: int, size: int) -> bytes:
    """Return the content of a .pyc file that is valid while its source has this time and size."""
    return bytes(_bootstrap_external._code_to_timestamp_pyc(code, mtime, size))  # type: ignore[attr-defined]


def _write(path: str, code: types.CodeType, mtime: int, size: int) -> None:
    _unlink(path)
    with open(path, "wb") as stream:  # noqa: PTH123
        stream.write(pyc(code, mtime, size))


def _unlink(path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)  # noqa: PTH108


if __name__ == "__main__":
    main()

"""First lines of scripts: point them at the platform's Python, or at a program's fixed path.

Runs inside the build root on the platform's Python, standard library only.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

_PYTHON = re.compile(
    rb"#!\s*(?:/\S*/)?(?:env\s+(?:-S\s+)?)?python[0-9.]*(?:\s+(?P<options>[^\n\r]*))?\r?\n?$"
)
_ENV = re.compile(rb"#!\s*/(?:usr/)?bin/env\s+(?:-S\s+)?(?P<program>[A-Za-z0-9_.+-]+)(?P<rest>[^\n]*)")


def main() -> None:
    """Rewrite the Python shebangs of the files and folders that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fix", action="store_true", help="(always)")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--flags", default="sP")
    parser.add_argument("paths", nargs="+", type=Path)
    arguments = parser.parse_args()
    for path in scripts(arguments.paths):
        if rewrite(path, lambda line: python_line(line, arguments.python, arguments.flags)):
            print(f"{path}: shebang set to {arguments.python}")


def scripts(paths: list[Path]) -> Iterator[Path]:
    """Return the regular files that are named, and the Python files below the folders that are."""
    for path in paths:
        if path.is_symlink():
            continue
        if path.is_dir():
            for folder, _, names in os.walk(path):
                yield from (Path(folder, name) for name in sorted(names) if name.endswith(".py"))
        elif path.is_file():
            yield path
        else:
            sys.exit(f"{path}: there is no such file.")


def python_line(line: bytes, python: str, flags: str) -> bytes | None:
    """Return the shebang with the platform's Python and the wanted flags; None where it is no Python's."""
    found = _PYTHON.match(line)
    if found is None:
        return None
    options = (found["options"] or b"").decode().strip()
    known, rest = (options[1:].partition(" ")[::2]) if options.startswith("-") else ("", options)
    merged = known + "".join(flag for flag in flags if flag not in known)
    words = [f"#!{python}", f"-{merged}" if merged else "", rest]
    return " ".join(word for word in words if word).encode() + b"\n"


def fixed_line(line: bytes) -> bytes | None:
    """Return a shebang that names the program's place instead of asking ``env``; None if it is fine.

    ``python`` without a version is the platform's Python 3: EL stops there, and nothing else can be meant.
    """
    found = _ENV.match(line)
    line = b"#!/usr/bin/" + found["program"] + found["rest"].rstrip() + b"\n" if found else line
    python = re.match(rb"#!\s*/usr/(?:local/)?bin/python(?P<rest>\s[^\n]*)?$", line)
    if python:
        return b"#!/usr/bin/python3" + (python["rest"] or b"").rstrip() + b"\n"
    return line if found else None


def rewrite(path: Path, change: Callable[[bytes], bytes | None]) -> bool:
    """Replace a file's first line by what ``change`` makes of it; keep mode and times. Say if it changed."""
    with path.open("rb") as stream:
        if stream.read(2) != b"#!":
            return False
        stream.seek(0)
        line = stream.readline()
        new = change(line)
        if new is None or new == line:
            return False
        rest = stream.read()
    status = path.stat()
    if not status.st_mode & 0o200:
        path.chmod(status.st_mode | 0o200)
    path.write_bytes(new + rest)
    path.chmod(status.st_mode)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return True


if __name__ == "__main__":
    main()

"""Import modules out of the build root (``%pyproject_check_import``, ``%py3_check_import``).

All that fail are named, with what they said. Runs inside the build root on the platform's Python, standard
library only.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import os
import site
import sys
import traceback
from pathlib import Path


def main() -> None:
    """Import them one after the other; exit status 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--buildroot", required=True)
    parser.add_argument("--site", required=True)
    parser.add_argument("--bindir", default="/usr/bin")
    parser.add_argument("--file", "-f", type=Path, help="names of modules, one a line")
    parser.add_argument("-e", dest="exclude", action="append", default=[], metavar="GLOB")
    parser.add_argument("-t", dest="top", action="store_true", help="top-level modules only")
    parser.add_argument("modules", nargs="*")
    arguments = parser.parse_args()
    names = [name for given in arguments.modules for name in given.replace(",", " ").split()]
    if arguments.file is not None:
        names += arguments.file.read_text().split()
    chosen = [name for name in names if not (arguments.top and "." in name)]
    chosen = [
        name for name in chosen if not any(fnmatch.fnmatchcase(name, glob) for glob in arguments.exclude)
    ]
    if not chosen:
        sys.exit("There is no module to import.")
    prepare(f"{arguments.buildroot}{arguments.site}", f"{arguments.buildroot}{arguments.bindir}")
    failed = [name for name in chosen if not imports(name)]
    if failed:
        sys.exit(f"{len(failed)} of {len(chosen)} modules can't be imported: {' '.join(failed)}")
    print(f"Modules imported: {len(chosen)}")


def prepare(folder: str, bindir: str) -> None:
    """Put the build root's modules and scripts before the system's, for us and for what we start."""
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ["PATH"] = f"{bindir}:{os.environ.get('PATH', '/usr/bin')}"
    given = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{folder}:{given}" if given else folder
    before = list(sys.path)
    site.addsitedir(folder)
    added = [path for path in sys.path if path not in before]
    sys.path[:] = [*added, *before]
    importlib.invalidate_caches()


def imports(name: str) -> bool:
    """Import a module; write what went wrong to stderr. Modules may also try to leave."""
    try:
        importlib.import_module(name)
    except (Exception, SystemExit):  # noqa: BLE001 - a module may raise anything, and all are to be named
        print(f"Importing {name}:", file=sys.stderr)
        traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    main()

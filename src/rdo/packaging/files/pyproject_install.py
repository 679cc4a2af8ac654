"""Install wheels into the build root and record what they brought.

With ``--adopt`` it installs nothing and records what another installer has left there with its RECORD.
Runs inside the build root on the platform's Python; needs ``installer`` besides the standard library.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import sys
from pathlib import Path
from typing import TypedDict

import shebang  # type: ignore[import-not-found]  # lies beside this file in the root


class Record(TypedDict):
    """What one wheel brought: paths in the root, the dist-info's own and all others together."""

    distinfo: str
    files: list[str]


def main() -> None:
    """Install, record, and leave metadata as RPM wants it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--buildroot", type=Path, required=True)
    parser.add_argument("--site", required=True, help="folder of modules, as a path in the root")
    parser.add_argument("--prefix", default="/usr")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--shebang-flags", default="sP")
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--ghost", type=Path, required=True)
    parser.add_argument("--adopt", action="store_true")
    parser.add_argument("wheels", type=Path, help="a wheel, or a folder of wheels")
    arguments = parser.parse_args()
    if not arguments.adopt:
        wheels = sorted(arguments.wheels.glob("*.whl")) if arguments.wheels.is_dir() else [arguments.wheels]
        if not wheels:
            sys.exit(f"{arguments.wheels}: there is no wheel; has %pyproject_wheel been called?")
        for wheel in wheels:
            install(wheel, arguments.buildroot, arguments.site, arguments.prefix, arguments.python)
    records = [record(found, arguments.buildroot) for found in distinfos(arguments.buildroot, arguments.site)]
    flags = arguments.shebang_flags
    for path in (path for one in records for path in one["files"]):
        script = Path(f"{arguments.buildroot}{path}")
        if path.rpartition("/")[0] == f"{arguments.prefix}/bin" and not script.is_symlink():
            shebang.rewrite(script, lambda line: shebang.python_line(line, arguments.python, flags))
    before = json.loads(arguments.record.read_text()) if arguments.record.exists() else []
    arguments.record.write_text(json.dumps([*before, *records], indent=1))
    with arguments.ghost.open("a") as stream:
        stream.writelines(f"%ghost %dir {one['distinfo']}\n" for one in records)


def install(wheel: Path, buildroot: Path, site: str, prefix: str, python: str) -> None:
    """Lay a wheel's files into the build root. Byte-code is made when sources won't change any more."""
    from installer import install as lay  # type: ignore[import-not-found]
    from installer.destinations import SchemeDictionaryDestination  # type: ignore[import-not-found]
    from installer.sources import WheelFile  # type: ignore[import-not-found]

    version = "".join(re.findall(r"python[0-9.]+", site)[:1]) or "python3"
    with WheelFile.open(wheel) as source:
        scheme = {
            "purelib": site,
            "platlib": site,
            "scripts": f"{prefix}/bin",
            "data": prefix,
            "headers": f"{prefix}/include/{version}/{source.distribution}",
        }
        destination = SchemeDictionaryDestination(
            scheme, interpreter=python, script_kind="posix", destdir=str(buildroot)
        )
        lay(source=source, destination=destination, additional_metadata={})


def distinfos(buildroot: Path, site: str) -> list[Path]:
    """Return the folders of metadata that still have their RECORD: those just installed."""
    return sorted(path.parent for path in Path(f"{buildroot}{site}").glob("*.dist-info/RECORD"))


def record(distinfo: Path, buildroot: Path) -> Record:
    """Read RECORD, then make the metadata RPM's: it is rpm that installs and verifies."""
    site = distinfo.parent
    with (distinfo / "RECORD").open(newline="", encoding="utf-8") as stream:
        listed = {os.path.normpath(site / row[0]) for row in csv.reader(stream) if row}
    (distinfo / "INSTALLER").write_text("rpm\n")
    listed.add(str(distinfo / "INSTALLER"))
    # pbr.json (which commit this was) comes or not by the way the backend is called; pip makes none.
    for name in ("RECORD", "REQUESTED", "direct_url.json", "pbr.json"):
        (distinfo / name).unlink(missing_ok=True)
    present = sorted(path for path in listed if os.path.lexists(path) and "/__pycache__/" not in path)
    start = len(str(buildroot))
    return {"distinfo": str(distinfo)[start:], "files": [path[start:] for path in present]}


if __name__ == "__main__":
    main()

"""Ask rpm's own generator for the dependencies of all dist-infos at once.

rpm starts ``pythondistdeps.py`` twice for every package with a dist-info, and each start costs as much as
compiling thirty modules. Here its ``main`` is called in a process that runs anyway; RPM macros read the
answers (``%__pythondist_provides``), and start the generator themselves where there is none.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import sys
from pathlib import Path
from types import ModuleType

GENERATOR = Path("/usr/lib/rpm/pythondistdeps.py")


def save(distinfos: list[Path], buildroot: Path, version: str, target: Path) -> None:
    """Write what the generator says of each dist-info, and of each of its extras, to a file for Lua.

    An answer is a line ``kind<TAB>extra<TAB>path`` and the dependencies below it, each after a blank. Where
    the generator fails there is none: it fails again, and is heard, when rpm calls it.
    """
    generator = _load()
    lines: list[str] = []
    for distinfo in distinfos:
        path = str(distinfo)[len(str(buildroot)) :]
        for extra in ["", *_extras(distinfo)]:
            for kind in ("provides", "requires"):
                answer = _ask(generator, distinfo, kind, extra, version)
                if answer is not None:
                    lines += [f"{kind}\t{extra}\t{path}", *(f" {line}" for line in answer)]
    target.write_text("".join(f"{line}\n" for line in lines))


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pythondistdeps", GENERATOR)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _extras(distinfo: Path) -> list[str]:
    """Return the names that subpackages of extras may have after their plus."""
    text = (distinfo / "METADATA").read_text(encoding="utf-8", errors="replace")
    named = re.findall(r"^Provides-Extra:\s*(\S+)", text.partition("\n\n")[0], re.MULTILINE)
    return sorted({form for name in named for form in (name, re.sub(r"[-_.]+", "-", name).lower())})


def _ask(generator: ModuleType, distinfo: Path, kind: str, extra: str, version: str) -> list[str] | None:
    options = {
        "provides": ["--provides", "--majorver-provides-versions", version],
        "requires": ["--requires", "--console-scripts-nodep-setuptools-since", "3.10"],
    }[kind]
    name = f"package+{extra}" if extra else "package"
    generator.argv[1:] = sys.argv[1:] = [
        *("--normalized-names-format", "pep503", "--package-name", name),
        *options,
        str(distinfo),
    ]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        try:
            generator.main()
        except (Exception, SystemExit):  # noqa: BLE001 - whatever it is, rpm's own call will show it
            return None
    return output.getvalue().splitlines()

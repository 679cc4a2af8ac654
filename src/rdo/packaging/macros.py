"""What a build root and a test host need of us before RPM works there as it does on EL.

Where a platform has EL's macros itself, that is nothing.
"""

from __future__ import annotations

from importlib.resources import files

from rdo.distribution.models import Platform

MACROS = "/etc/rpm/macros.rdo"
HELPERS = "/usr/lib/rpm/rdo"
RPMRC = "/etc/rpmrc"

_SCRIPTS = (
    "check_import.py",
    "dependencies.py",
    "finish.py",
    "pyproject_files.py",
    "pyproject_install.py",
    "pyproject_wheel.py",
    "shebang.py",
)

# Runs in Python's own start-up. Our modules come before Debian's, and .pth files among ours are honoured;
# what an administrator installed below /usr/local still wins.
_PTH = (
    "import os, site, sys; p = {site!r}; d = '/usr/lib/python3/dist-packages'; "
    "os.path.isdir(p) and p not in sys.path and (n := len(sys.path), site.addsitedir(p), "
    "new := sys.path[n:], sys.path.__delitem__(slice(n, None)), "
    "i := sys.path.index(d) if d in sys.path else n, sys.path.__setitem__(slice(i, i), new))\n"
)


def root_files(platform: Platform) -> dict[str, tuple[bytes, int]]:
    """Return what a build root gets, by path in the root: (content, mode). Empty where EL has it all."""
    if platform.macros is None:
        return {}
    macros = platform.macros.read_bytes() + f"\n%dist {platform.dist}\n".encode()
    return {
        MACROS: (macros, 0o644),
        # What an rpmrc says of %optflags wins over all files of macros.
        RPMRC: (f"optflags: {platform.architecture} %{{_rdo_optflags}}\n".encode(), 0o644),
        **{f"{HELPERS}/{name}": (_content(name), 0o644) for name in _SCRIPTS},
        f"{HELPERS}/magic": (_content("magic"), 0o644),
        "/usr/lib/rpm/fileattrs/pythonname.attr": (_content("pythonname.attr"), 0o644),
        **host_files(platform),
    }


def root_commands(platform: Platform) -> list[str]:
    """Return shell commands that root runs once in the build root after :func:`root_files` are there.

    A compiled magic database fits one version of libmagic only, so it is compiled by the root's own.
    """
    if platform.macros is None:
        return []
    helpers = " ".join(f"{HELPERS}/{name}" for name in _SCRIPTS)
    return [
        f"cd {HELPERS} && file --compile --magic-file magic && touch -d @0 magic.mgc",
        f"/usr/bin/python3 -m compileall -q --invalidation-mode checked-hash {helpers}",
    ]


def host_files(platform: Platform) -> dict[str, tuple[bytes, int]]:
    """Return what every host gets that runs our packages, by path: (content, mode).

    On Debian, Python looks for modules in ``dist-packages`` only; ours lie where EL has them.
    """
    if platform.macros is None:
        return {}
    text = _PTH.format(site=f"/usr/lib/python{platform.python}/site-packages")
    return {"/usr/lib/python3/dist-packages/rdo.pth": (text.encode(), 0o644)}


def _content(name: str) -> bytes:
    return (files("rdo.packaging") / "files" / name).read_bytes()

"""Why builds fail, from logs as rpmbuild and Python write them."""

from __future__ import annotations

import pytest

from rdo.building.diagnosis import diagnose
from rdo.building.rpminfo import RpmInfo
from rdo.distribution.models import DebootstrapRoot, Platform, Provided

PLATFORM = Platform(
    name="p",
    title="P",
    architecture="x86_64",
    python="3.13",
    python_version="3.13.5",
    dist=".p",
    tested=True,
    root=DebootstrapRoot(kind="debootstrap", suite="trixie", packages=()),
    provides={"pyyaml": Provided(version="6", package="python3-yaml")},
)
RECORDS = [
    RpmInfo(name="python3-oslo-config", version="1", provides=("python3dist(oslo-config) = 1",)),
    RpmInfo(name="git", version="2", provides=("/usr/bin/git",)),
]


@pytest.mark.parametrize(
    ("log", "reason", "hint"),
    [
        (
            "x\nModuleNotFoundError: No module named 'oslo_config.cfg'\nerror: Bad exit status\n",
            "ModuleNotFoundError: No module named 'oslo_config.cfg'",
            "python3dist(oslo-config)",
        ),
        ("ModuleNotFoundError: No module named 'yaml'\n", "No module named 'yaml'", "python3dist(pyyaml)"),
        (
            "sh: cannot create /usr/x: Permission denied\nerror: Bad exit status from x (%check)\n",
            "cannot create /usr/x: Permission denied\nerror: Bad exit status",
            "no rights beyond",
        ),
        ("/var/tmp/rpm-tmp.x: line 33: git: command not found\n", "git: command not found", "git"),
        ("/var/tmp/rpm-tmp.x: 33: git: not found\n", "git: not found", "/usr/bin/git"),
        (
            "error: Failed build dependencies:\n\tfoo >= 2 is needed by bar-1-1.noarch\n",
            "foo >= 2 is needed by bar",
            None,
        ),
        (
            "error: Installed (but unpackaged) file(s) found:\n   /usr/bin/x\n   /usr/bin/y\n\n",
            "/usr/bin/x\n/usr/bin/y",
            None,
        ),
        ("gaierror: [Errno -3] Temporary failure in name resolution\n", "use the network", "no network"),
        ("cp: error writing 'x': No space left on device\n", "No space left", None),
        ("x.c:1:10: fatal error: ffi.h: No such file or directory\n", "ffi.h", "-devel"),
        ("ok\nerror: Bad exit status from /var/tmp/x (%check)\n", "ok\nerror: Bad exit status", None),
        (
            "+ cd x\nnone of it\n+ patch -p1\n|--- a/x.py\n\nNo file to patch.\n"
            "error: Bad exit status from x (%prep)\n\nRPM errors:\n    Bad exit status from x (%prep)\n",
            "|--- a/x.py\nNo file to patch.\nerror: Bad exit status from x (%prep)",
            None,
        ),
        ("one\ntwo\n", "one\ntwo", None),
        ("", "without a word", None),
    ],
)
def test_decisive_lines(log: str, reason: str, hint: str | None) -> None:
    found = diagnose(log, RECORDS, PLATFORM)
    assert reason in found.reason
    assert (hint is None and found.hint is None) or (hint is not None and hint in (found.hint or ""))


def test_hint_says_nothing_about_modules_that_nobody_has() -> None:
    assert diagnose("ModuleNotFoundError: No module named 'nope'\n", RECORDS, PLATFORM).hint is None


@pytest.mark.parametrize(
    "log",
    [
        "x\n\x1b[2J{}\nerror: Bad exit status from /var/tmp/x (%build)\n",
        "ValueError: \x1b[31m{}\n",
        "x.c:1: fatal error: \x1b[2J{}.h: No such file or directory\n",
        "Failed build dependencies:\n\t\x1b]0;t\x07{}\n",
        "\x1b[2J{}: Permission denied\nerror: Bad exit status from /var/tmp/x (%build)\n",
        "{}\x1b[2J",
    ],
)
def test_what_a_build_prints_is_shown_as_text_and_cut(log: str) -> None:
    found = diagnose(log.format("y" * 12_000), [], PLATFORM)
    assert all(one == "\n" or one.isprintable() for one in found.reason)
    assert "y" * 100 in found.reason
    assert max(len(line) for line in found.reason.splitlines()) < 350

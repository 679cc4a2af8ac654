"""Whatever of a package is not as expected is found: every tag that matters is tampered with."""

from __future__ import annotations

import base64
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from rdo.building.acceptance import problems_of
from rdo.building.expectation import Expectation, ExpectedPackage
from rdo.building.rpm_facts import RELATIONS, SCRIPTS, facts_of
from rdo.building.spec_sections import bodies_of, rules_of, sections
from tests.unit.building import rpm_writer
from tests.unit.building.rpm_writer import Values

EQUAL, LESS = 8, 2
TRIGGER_IN = 1 << 16
SITE = "/usr/lib/python3.13/site-packages/"
ACCOUNT = base64.b64encode(b'u odd - "Odd" /var/lib/odd\0').decode()

SPEC = """\
Name: python-odd
%description
%files -n python3-odd -f /builddir/pyproject-files
%license LICENSE
%dir %attr(0750, odd, odd) /var/lib/odd
%attr(2755, root, odd) %caps(cap_net_raw=ep) /usr/bin/odd*
%config(noreplace) %attr(0640, root, odd) /etc/odd.conf
%post -n python3-odd
echo one

%triggerin -n python3-odd -- bash
echo two
"""

_PROVIDES = [
    ("python3-odd", "1-1"),
    ("stated", ""),
    ("python3dist(odd)", "1"),
    ("python3.13dist(odd[extra])", "1"),
    ("python-odd", "1-1"),
    ("config(python3-odd)", "1-1"),
    ("user(odd)", ACCOUNT),
    ("group(odd)", ""),
]
_FILES: list[tuple[str, str, int, str, str, str]] = [
    ("/etc/", "odd.conf", 0o100640, "root", "odd", ""),
    ("/usr/bin/", "odd", 0o102755, "root", "odd", "cap_net_raw=ep"),
    (SITE, "odd", 0o040755, "root", "root", ""),
    (f"{SITE}odd/", "__init__.py", 0o100644, "root", "root", ""),
    ("/usr/share/licenses/python3-odd/", "LICENSE", 0o100644, "root", "root", ""),
    ("/var/lib/", "odd", 0o040750, "odd", "odd", ""),
]


def files(rows: list[tuple[str, str, int, str, str, str]]) -> dict[str, Values]:
    """Return the tags of files: folder, name, mode, user, group, capabilities."""
    folders = sorted({row[0] for row in rows})
    return {
        "DIRNAMES": folders,
        "DIRINDEXES": [folders.index(row[0]) for row in rows],
        "BASENAMES": [row[1] for row in rows],
        "FILEMODES": [row[2] for row in rows],
        "FILEUSERNAME": [row[3] for row in rows],
        "FILEGROUPNAME": [row[4] for row in rows],
        "FILECAPS": [row[5] for row in rows],
        "FILEDIGESTS": ["0" * 64 if stat.S_ISREG(row[2]) else "" for row in rows],
        "FILEFLAGS": [0] * len(rows),
    }


def provides(rows: list[tuple[str, str]]) -> dict[str, Values]:
    return {
        "PROVIDENAME": [name for name, _ in rows],
        "PROVIDEVERSION": [version for _, version in rows],
        "PROVIDEFLAGS": [EQUAL if version else 0 for _, version in rows],
    }


GOOD: dict[str, Values] = {
    "NAME": ["python3-odd"],
    "VERSION": ["1"],
    "RELEASE": ["1"],
    "LICENSE": ["MIT"],
    "ARCH": ["noarch"],
    "SOURCERPM": ["python-odd-1-1.src.rpm"],
    "POSTIN": ["echo one"],
    "POSTINPROG": ["/bin/sh"],
    "TRIGGERSCRIPTS": ["echo two"],
    "TRIGGERSCRIPTPROG": ["/bin/sh"],
    "TRIGGERNAME": ["bash"],
    "TRIGGERVERSION": [""],
    "TRIGGERFLAGS": [TRIGGER_IN],
    "TRIGGERINDEX": [0],
    "OBSOLETENAME": ["older"],
    "OBSOLETEFLAGS": [LESS],
    "OBSOLETEVERSION": ["2"],
    "REQUIRENAME": ["/bin/sh"],
    "REQUIREFLAGS": [256],
    "REQUIREVERSION": [""],
    **provides(_PROVIDES),
    **files(_FILES),
}
SOURCE: dict[str, Values] = {
    "NAME": ["python-odd"],
    "VERSION": ["1"],
    "RELEASE": ["1"],
    "ARCH": ["noarch"],
    "SOURCEPACKAGE": [1],
    "DIRNAMES": [""],
    "DIRINDEXES": [0, 0],
    "BASENAMES": ["odd-1.tar.gz", "python-odd.spec"],
    "FILEMODES": [0o100644] * 2,
    "FILEUSERNAME": ["root"] * 2,
    "FILEGROUPNAME": ["root"] * 2,
    "FILEDIGESTS": ["a" * 64, "b" * 64],
    "FILEFLAGS": [0, 32],
}


def expectation(changes: Mapping[str, Values] = MappingProxyType({})) -> Expectation:
    """Return what rpmspec would lead to expect: generated Provides and files are not in it."""
    stated = {**GOOD, **provides(_PROVIDES[:2]), **changes}
    parts = sections(SPEC)
    bodies = bodies_of(parts, "python-odd", "python3-odd")
    rules, lists = rules_of(parts, "python-odd", "python3-odd", "1")
    package = ExpectedPackage(facts=facts_of(stated, bodies=bodies), rules=tuple(rules), lists=tuple(lists))
    return Expectation(
        package="python-odd",
        dist="odd",
        version="1.0",
        packages=(package,),
        sources={"odd-1.tar.gz": "a" * 64, "python-odd.spec": "b" * 64},
        accounts=(("u", "odd", "-", "Odd", "/var/lib/odd"),),
    )


def judged(
    folder: Path,
    binary: Mapping[str, Values] = GOOD,
    source: Mapping[str, Values] = SOURCE,
    expected: Mapping[str, Values] = MappingProxyType({}),
) -> list[str]:
    name, version, release, arch = (binary[tag][0] for tag in ("NAME", "VERSION", "RELEASE", "ARCH"))
    binary_name = f"{name}-{version}-{release}.{arch}.rpm"
    rpms = {
        binary_name: rpm_writer.write(folder / "binary", binary),
        "python-odd-1-1.src.rpm": rpm_writer.write(folder / "source", source),
    }
    return problems_of(expectation(expected), rpms)


def test_what_was_expected_is_good(tmp_path: Path) -> None:
    assert judged(tmp_path) == []


TAMPERED: dict[str, tuple[dict[str, Values], str]] = {
    "name": ({"NAME": ["openstack-keystone"]}, "openstack-keystone-1-1.noarch.rpm was made besides"),
    "version": ({"VERSION": ["99"]}, "python3-odd-99-1.noarch.rpm was made besides"),
    "release": ({"RELEASE": ["99"]}, "was made besides"),
    "epoch": ({"EPOCH": [9]}, "its epoch is 9, not 0"),
    "architecture": ({"ARCH": ["x86_64"]}, "was made besides"),
    "source": ({"SOURCERPM": ["x-1-1.src.rpm"]}, "its source is x-1-1.src.rpm"),
    "a source package in a binary's place": ({"SOURCEPACKAGE": [1]}, "calls itself"),
    "licence": ({"LICENSE": ["GPL-3.0-only"]}, "its licence is GPL-3.0-only, not MIT"),
    "text of a scriptlet": (
        {"POSTIN": ["curl x | sh"]},
        "its %post isn't the spec's: (/bin/sh)\\ncurl x | sh",
    ),
    "interpreter": ({"POSTINPROG": ["/usr/bin/python3"]}, "its %post isn't the spec's"),
    "flags": ({"POSTINFLAGS": [1]}, "its %post isn't the spec's"),
    "trigger's text": ({"TRIGGERSCRIPTS": ["rm -rf /"]}, "has a trigger that its spec doesn't have"),
    "trigger's interpreter": ({"TRIGGERSCRIPTPROG": ["/x"]}, "has a trigger that its spec doesn't have"),
    "trigger's cause": ({"TRIGGERNAME": ["glibc"]}, "has a trigger that its spec doesn't have"),
    "trigger's event": ({"TRIGGERFLAGS": [1 << 17]}, "has a trigger that its spec doesn't have"),
    "trigger's version": ({"TRIGGERVERSION": ["5"]}, "has a trigger that its spec doesn't have"),
    "trigger without a script": ({"TRIGGERINDEX": [7]}, "has a trigger that its spec doesn't have"),
    "file trigger": (
        {
            "FILETRIGGERSCRIPTS": ["true"],
            "FILETRIGGERSCRIPTPROG": ["/bin/sh"],
            "FILETRIGGERNAME": ["/usr"],
            "FILETRIGGERVERSION": [""],
            "FILETRIGGERFLAGS": [TRIGGER_IN],
            "FILETRIGGERINDEX": [0],
        },
        "%filetriggerin /usr",
    ),
    "transaction's file trigger": (
        {
            "TRANSFILETRIGGERSCRIPTS": ["true"],
            "TRANSFILETRIGGERSCRIPTPROG": ["/bin/sh"],
            "TRANSFILETRIGGERNAME": ["/usr"],
            "TRANSFILETRIGGERVERSION": [""],
            "TRANSFILETRIGGERFLAGS": [TRIGGER_IN],
            "TRANSFILETRIGGERINDEX": [0],
            "TRANSFILETRIGGERPRIORITIES": [1],
        },
        "%transfiletriggerin /usr (/bin/sh) at 1",
    ),
    "prefixes": ({"PREFIXES": ["/"]}, "can be moved"),
    "accounts of rpm": ({"SYSUSERS": ["u root2 0"]}, "makes the account u root2 0"),
    "requirement left out": (
        {"REQUIRENAME": ["x"], "REQUIREFLAGS": [0], "REQUIREVERSION": [""]},
        "lacks Requires: /bin/sh",
    ),
}


@pytest.mark.parametrize("what", list(TAMPERED))
def test_each_tampered_tag_is_found(tmp_path: Path, what: str) -> None:
    changes, words = TAMPERED[what]
    assert words in "\n".join(judged(tmp_path, {**GOOD, **changes}))


@pytest.mark.parametrize("tag", list(SCRIPTS))
@pytest.mark.parametrize("part", ["", "PROG"])
def test_no_scriptlet_comes_or_goes(tmp_path: Path, tag: str, part: str) -> None:
    more = {**GOOD, f"{tag}{part}": ["x"]}
    assert any(f"{SCRIPTS[tag]} " in line for line in judged(tmp_path, more))
    assert any(SCRIPTS[tag] in line for line in judged(tmp_path, expected={f"{tag}{part}": ["x"]}))


@pytest.mark.parametrize("tag", list(RELATIONS))
def test_no_relation_comes_or_goes(tmp_path: Path, tag: str) -> None:
    one: dict[str, Values] = {f"{tag}NAME": ["bash"], f"{tag}FLAGS": [0], f"{tag}VERSION": [""]}
    assert any(f"{RELATIONS[tag]}: bash, which" in line for line in judged(tmp_path, {**GOOD, **one}))
    assert any(f"lacks {RELATIONS[tag]}: bash" in line for line in judged(tmp_path, expected=one))


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("openstack-keystone", "9:99-1"),
        ("python3dist(six)", "1"),
        ("python3dist(odd)", "2"),
        ("python3dist(odd)", ""),
        ("python3.13dist(odd[x])", "7"),
        ("python-six", "1-1"),
        ("python-odd", "2-1"),
        ("config(bash)", "1-1"),
        ("libc.so.6()(64bit)", ""),
        ("pkgconfig(openssl)", "3"),
        ("user(root)", ""),
        ("group(wheel)", ""),
        ("user(root)", base64.b64encode(b"u root 0").decode()),
        ("user(other)", ACCOUNT),
        ("user(odd)", base64.b64encode(b'u odd 0 "Odd" /var/lib/odd').decode()),
        ("groupmember(odd/wheel)", base64.b64encode(b"m odd wheel").decode()),
        ("/usr/bin/python3", ""),
        ("rpm_macro(build)", ""),
        ("bundled(x)\nProvides: y", ""),
    ],
)
def test_no_capability_comes_that_files_do_not_give(tmp_path: Path, name: str, version: str) -> None:
    found = judged(tmp_path, {**GOOD, **provides([*_PROVIDES, (name, version)])})
    assert len(found) == 1
    assert found[0].startswith("python3-odd provides ")
    assert "\n" not in found[0]


def test_a_stated_capability_does_not_go(tmp_path: Path) -> None:
    without = [row for row in _PROVIDES if row[0] != "stated"]
    assert judged(tmp_path, {**GOOD, **provides(without)}) == ["python3-odd doesn't provide stated"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("/usr/bin/", "x", 0o104755, "root", "root", ""), "has /usr/bin/x, which its %files doesn't name"),
        ((SITE, "x", 0o104755, "root", "root", ""), "setuid or setgid"),
        ((SITE, "x", 0o102755, "root", "root", ""), "setuid or setgid"),
        ((SITE, "x", 0o042755, "root", "root", ""), "setuid or setgid"),
        ((SITE, "x", 0o100646, "root", "root", ""), "everybody can write to it"),
        ((SITE, "x", 0o040777, "root", "root", ""), "everybody can write to it"),
        ((SITE, "x", 0o020666, "root", "root", ""), "a character device"),
        ((SITE, "x", 0o060660, "root", "root", ""), "a block device"),
        ((SITE, "x", 0o010644, "root", "root", ""), "a named pipe"),
        ((SITE, "x", 0o140644, "root", "root", ""), "a socket"),
        ((SITE, "x", 0o100644, "odd", "root", ""), "is the user odd's"),
        ((SITE, "x", 0o100644, "root", "odd", ""), "is the group odd's"),
        ((SITE, "x", 0o100755, "root", "root", "cap_sys_admin=ep"), "the capabilities cap_sys_admin=ep"),
        (("/usr/bin/", "oddly", 0o102755, "root", "odd", "cap_setuid=ep"), "the capabilities cap_setuid=ep"),
        (("/usr/bin/", "oddly", 0o106755, "root", "odd", ""), "has the mode 6755, not 2755"),
        (("/etc/", "passwd", 0o100644, "root", "root", ""), "/etc/passwd, which its %files doesn't name"),
        (("/var/lib/odd/", "x", 0o100644, "root", "root", ""), "/var/lib/odd/x, which its %files"),
        ((f"{SITE}../../../../etc/", "x", 0o100644, "root", "root", ""), "isn't a plain path"),
        (
            ("/usr/lib/rpm/macros.d/", "macros.x", 0o100644, "root", "root", ""),
            "which its %files doesn't name",
        ),
        ((SITE, "a\x1b[2Jb", 0o104755, "root", "root", ""), r"a\x1b[2Jb has the mode"),
    ],
)
def test_no_path_or_right_comes_that_the_spec_does_not_state(
    tmp_path: Path, row: tuple[str, str, int, str, str, str], words: str
) -> None:
    found = judged(tmp_path, {**GOOD, **files([*_FILES, row])})
    assert words in "\n".join(found)


@pytest.mark.parametrize(
    ("path", "target", "good"),
    [
        (f"{SITE}odd/link", "__init__.py", True),
        (f"{SITE}odd/link", f"{SITE}odd", True),
        (f"{SITE}odd/link", "/etc/odd.conf", True),
        (f"{SITE}odd/link", "/etc", False),
        (f"{SITE}odd/link", "../../../../../etc/shadow", False),
        (f"{SITE}odd/link", "", False),
        ("/var/lib/odd", "/etc", True),
    ],
)
def test_links_lead_inside_unless_the_spec_names_them(
    tmp_path: Path, path: str, target: str, good: bool
) -> None:
    folder, _, name = path.rpartition("/")
    rows = [row for row in _FILES if row[0] + row[1] != path]
    owner = ("odd", "odd") if path == "/var/lib/odd" else ("root", "root")
    tags = files([*rows, (f"{folder}/", name, 0o120777, *owner, "")])
    found = judged(tmp_path, {**GOOD, **tags, "FILELINKTOS": [*[""] * len(rows), target]})
    assert (found == []) is good, found
    assert good or "a link to" in found[0]


@pytest.mark.parametrize("target", ["deep/up/../../odd", "deep/up/../../../../../../etc/odd", "circle/x"])
def test_links_by_way_of_other_links_lead_where_the_kernel_goes(tmp_path: Path, target: str) -> None:
    """``deep/up`` is a link itself: what follows it is another place than the words say."""
    rows = [
        *_FILES,
        (f"{SITE}odd/", "deep", 0o040755, "root", "root", ""),
        (f"{SITE}odd/deep/", "odd", 0o100644, "root", "root", ""),
        (f"{SITE}odd/", "odd", 0o100644, "root", "root", ""),
        (f"{SITE}odd/deep/", "up", 0o120777, "root", "root", ""),
        (f"{SITE}odd/", "circle", 0o120777, "root", "root", ""),
        (f"{SITE}odd/", "link", 0o120777, "root", "root", ""),
    ]
    tags = files(rows)
    targets = [*[""] * (len(rows) - 3), f"{SITE}odd", "circle", target]
    found = judged(tmp_path, {**GOOD, **tags, "FILELINKTOS": targets})
    assert [line for line in found if f"{SITE}odd/link, a link to" in line], found


def test_files_that_are_told_of_in_part_are_refused(tmp_path: Path) -> None:
    assert "lists its files incompletely" in judged(tmp_path, {**GOOD, "FILEMODES": [0o100644]})[0]
    assert (
        "in folders that it doesn't have" in judged(tmp_path, {**GOOD, "DIRINDEXES": [99] * len(_FILES)})[0]
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"BASENAMES": ["odd-1.tar.gz", "evil.spec"]}, "has the file evil.spec, which was not given to it"),
        ({"FILEDIGESTS": ["a" * 64, "c" * 64]}, "python-odd.spec isn't the file that was given to it"),
        ({"POSTIN": ["x"]}, "has a %post"),
        ({"EPOCH": [9]}, "calls itself python-odd 9:1-1"),
    ],
)
def test_the_source_package_has_what_was_given(
    tmp_path: Path, changes: dict[str, Values], words: str
) -> None:
    assert words in "\n".join(judged(tmp_path, source={**SOURCE, **changes}))


def test_what_is_missing_and_what_is_no_rpm_is_named(tmp_path: Path) -> None:
    source = rpm_writer.write(tmp_path / "source", SOURCE)
    assert problems_of(expectation(), {"python-odd-1-1.src.rpm": source}) == [
        "python3-odd-1-1.noarch.rpm was not made"
    ]
    junk = tmp_path / "junk"
    junk.write_text("x")
    found = problems_of(expectation(), {"python3-odd-1-1.noarch.rpm": junk})
    assert found == [
        "python3-odd-1-1.noarch.rpm is no RPM, or is cut off",
        "python-odd-1-1.src.rpm was not made",
    ]


DEBUG: dict[str, Values] = {
    **{tag: GOOD[tag] for tag in ("VERSION", "RELEASE", "LICENSE", "SOURCERPM")},
    "NAME": ["python3-odd-debuginfo"],
    "ARCH": ["x86_64"],
    **files([("/usr/lib/debug/", "odd.so.debug", 0o100644, "root", "root", "")]),
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"POSTIN": ["x"]}, "has a %post that its spec doesn't have"),
        ({"NAME": ["bash-debuginfo"]}, "was made besides"),
        (files([("/usr/bin/", "x", 0o100755, "root", "root", "")]), "which its %files doesn't name"),
        ({"OBSOLETENAME": ["x"], "OBSOLETEFLAGS": [0], "OBSOLETEVERSION": [""]}, "has Obsoletes"),
        (provides([("python3-odd-debuginfo", "1-1"), ("debuginfo(build-id)", "a0f1")]), ""),
        (provides([("python3-odd-debuginfo(x86-64)", "1-1"), ("odd.so-1-1.x86_64.debug()(64bit)", "")]), ""),
        (provides([("python3dist(odd)", "99")]), "provides python3dist(odd) = 99, which symbols don't"),
        (provides([("user(root2)", ACCOUNT)]), "provides user(root2)"),
        (provides([("bash", "99-1")]), "provides bash = 99-1"),
        ({"SYSUSERS": ["u root2 0"]}, "makes the account u root2 0"),
        (files([("/usr/lib/debug/../../../etc/", "x", 0o100644, "root", "root", "")]), "isn't a plain path"),
        (files([("/usr/lib/debug/", "x", 0o060644, "root", "root", "")]), "a block device"),
        (files([("/usr/lib/debug/", "x", 0o100644, "odd", "root", "")]), "is the user odd's"),
        (
            {**files([("/usr/lib/debug/", "x", 0o120777, "root", "root", "")]), "FILELINKTOS": ["/etc"]},
            "a link to /etc",
        ),
        (
            {
                **files([("/usr/lib/debug/.build-id/a0/", "f1", 0o120777, "root", "root", "")]),
                "FILELINKTOS": ["../../../../../lib64/odd.so"],
            },
            "",
        ),
    ],
)
def test_packages_of_symbols_that_rpm_splits_off_are_known(
    tmp_path: Path, changes: dict[str, Values], words: str
) -> None:
    tags = {**DEBUG, **changes}
    binary = {**GOOD, "ARCH": ["x86_64"]}
    rpms = {
        "python3-odd-1-1.x86_64.rpm": rpm_writer.write(tmp_path / "binary", binary),
        "python-odd-1-1.src.rpm": rpm_writer.write(tmp_path / "source", SOURCE),
        f"{tags['NAME'][0]}-1-1.x86_64.rpm": rpm_writer.write(tmp_path / "debug", tags),
    }
    found = "\n".join(problems_of(expectation({"ARCH": ["x86_64"]}), rpms))
    assert words in found if words else not found

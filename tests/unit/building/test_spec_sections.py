from __future__ import annotations

import pytest

from rdo.building.rpm_facts import trigger_body
from rdo.building.spec_sections import FileRule, bodies_of, package_of, rules_of, sections

SPEC = """\
Name: odd
%description
Words of %install or %postscript are none.
 %files is none either, after a blank.
%description devel
More.
%POST -p <lua> devel
print("x")
%triggerin -n other -p /bin/bash -- bash > 3, dash
echo a

%triggerpostun -n other -- bash
echo b
%transfiletriggerin -P 7 -n other -- /usr/x /usr/y
echo c
%files
%defattr(0644, odd, odd)
/usr/a
%files devel -f one -f %{buildroot}/two.lang
# a remark
%exclude /usr/b
%license COPYING "with blank"
%doc README
%dir %attr(0750, -, x) "/var/with blank"
%ghost %attr(-, a, b) /run/c
%caps(cap_net_raw=ep cap_setuid=p) /usr/bin/{a,b}
%changelog
"""


def test_sections_begin_as_rpm_has_it() -> None:
    words = ["description", "description", "post", "triggerin", "triggerpostun", "transfiletriggerin"]
    assert [part.word for part in sections(SPEC)] == [*words, "files", "files", "changelog"]


@pytest.mark.parametrize(
    ("number", "package"), [(0, "odd"), (1, "odd-devel"), (2, "odd-devel"), (3, "other")]
)
def test_sections_are_of_a_package(number: int, package: str) -> None:
    assert package_of(sections(SPEC)[number], "odd") == package


def test_triggers_are_numbered_in_their_family() -> None:
    found = bodies_of(sections(SPEC), "odd", "other")
    one = trigger_body("/bin/bash", 0, 1_000_000, "echo a")
    two = trigger_body("/bin/sh", 0, 1_000_000, "echo b")
    assert found == {
        "TRIGGER": [one, two],
        "FILETRIGGER": [],
        "TRANSFILETRIGGER": [trigger_body("/bin/sh", 0, 7, "echo c")],
    }


def test_rules_have_what_is_stated() -> None:
    rules, lists = rules_of(sections(SPEC), "odd", "odd-devel", "2")
    assert lists == ["one", "%{buildroot}/two.lang"]
    assert rules == [
        FileRule(glob="/usr/share/licenses/odd-devel{,-2}"),
        FileRule(glob="/usr/share/licenses/odd-devel{,-2}"),
        FileRule(glob="/usr/share/doc/odd-devel{,-2}"),
        FileRule(glob="/var/with blank", alone=True, mode=0o750, group="x"),
        FileRule(glob="/run/c", user="a", group="b"),
        FileRule(glob="/usr/bin/{a,b}", capabilities="cap_net_raw=ep cap_setuid=p"),
    ]
    assert rules_of(sections(SPEC), "odd", "odd", "2")[0] == [
        FileRule(glob="/usr/a", mode=0o644, user="odd", group="odd")
    ]


@pytest.mark.parametrize(
    ("glob", "path", "covered"),
    [
        ("/usr/a", "/usr/a", True),
        ("/usr/a", "/usr/a/b/c", True),
        ("/usr/a", "/usr/ab", False),
        ("/usr/*.py", "/usr/x.py", True),
        ("/usr/*.py", "/usr/x/y.py", False),
        ("/usr/?", "/usr/a", True),
        ("/usr/?", "/usr//", False),
        ("/usr/[ab]", "/usr/b", True),
        ("/usr/[!ab]", "/usr/b", False),
        ("/usr/{a,b*}/x", "/usr/bcd/x", True),
        ("/usr/a{,-2}/x", "/usr/a-2/x", True),
        (r"/usr/\[a\]", "/usr/[a]", True),
        (r"/usr/\*", "/usr/x", False),
        ("/usr/a.b", "/usr/aXb", False),
        ("/usr/a", "/usr/a\n/x", False),
        ("/usr/*", "/usr/a\nb", True),
        ("/usr/[", "/usr/[", True),
    ],
)
def test_globs_cover_what_rpm_takes_by_them(glob: str, path: str, covered: bool) -> None:
    assert FileRule(glob=glob).covers(path) is covered


def test_a_folder_alone_covers_nothing_below() -> None:
    assert FileRule(glob="/usr/a", alone=True).covers("/usr/a")
    assert not FileRule(glob="/usr/a", alone=True).covers("/usr/a/b")

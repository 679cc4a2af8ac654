from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdo.common.errors import UnknownNameError
from rdo.distribution.description import PackageDescription
from rdo.packaging.asked_names import index_name
from rdo.packaging.resolution import ResolutionError, resolve
from rdo.packaging.resolution_model import Reason
from rdo.packaging.resolution_order import build_layers, shortest_chain
from tests.unit.packaging.small_release import Shelf, platform, project, release

KEYSTONE = project("keystone", kind="service")
OSLO = project("oslo.config", "oslo-config")


def test_own_projects_are_built_and_third_parties_taken_where_they_fit() -> None:
    shelf = Shelf(keystone=["oslo.config>=1", "fits>=1", "old>=2", "absent"])
    pins = {"keystone": "1", "oslo-config": "1", "fits": "3", "old": "3", "absent": "3"}
    resolution = resolve(
        release(pins, KEYSTONE, OSLO),
        platform({"oslo-config": "9", "fits": "1.5", "old": "1.9"}),
        ["keystone"],
        shelf,
    )
    assert {n.dist: (n.origin, n.version, n.package) for n in resolution.nodes.values()} == {
        "keystone": ("build", "1", "openstack-keystone"),
        "oslo-config": ("build", "1", "python-oslo-config"),
        "fits": ("platform", "1.5", "p-fits"),
        "old": ("build", "3", "python-old"),
        "absent": ("build", "3", "python-absent"),
    }
    assert resolution.nodes["old"].replaces == "1.9"
    assert resolution.nodes["old"].replaces_because == "keystone requires old>=2"
    assert resolution.nodes["oslo-config"].replaces_because == "is OpenStack's own"
    assert resolution.nodes["absent"].replaces is None
    assert resolution.nodes["keystone"].reasons == (Reason(by="", requirement="keystone", kind="asked"),)
    assert set(resolution.metadata) == {"keystone", "oslo-config", "old", "absent"}
    assert shelf.waves == [["keystone"], ["absent", "old", "oslo-config"]]


def test_a_platform_may_leave_what_is_older_than_the_pin_to_us() -> None:
    shelf = Shelf(keystone=["older", "newer", "unpinned"])
    pins = {"keystone": "1", "older": "3", "newer": "3"}
    offers = platform({"older": "2", "newer": "4", "unpinned": "1"})
    for policy, origin in (("taken", "platform"), ("replaced", "build")):
        under = offers.model_copy(update={"older_than_pin": policy})
        nodes = resolve(release(pins, KEYSTONE), under, ["keystone"], shelf).nodes
        assert nodes["older"].origin == origin
        assert (nodes["newer"].origin, nodes["unpinned"].origin) == ("platform", "platform")
    assert nodes["older"].replaces_because == "is older than the release's pin"


def test_a_later_requirement_turns_a_fitting_version_down() -> None:
    # keystone is content with what the platform has; what is built for keystone is not
    shelf = Shelf(keystone=["a", "b>=2"], b=["a>=5"], a=["c"])
    resolution = resolve(
        release({"keystone": "1", "a": "5", "b": "2", "c": "1"}, KEYSTONE),
        platform({"a": "1", "b": "1", "c": "1"}),
        ["keystone"],
        shelf,
    )
    assert {n.dist for n in resolution.built} == {"keystone", "a", "b"}
    assert {n.dist for n in resolution.provided} == {"c"}


def test_build_requirements_count_only_of_what_is_built() -> None:
    shelf = Shelf(keystone=["a"], a=[])
    shelf.build = {"keystone": ("tool<2",), "a": ("unheard-of",)}
    resolution = resolve(
        release({"keystone": "1", "tool": "1", "a": "1"}, KEYSTONE),
        platform({"a": "1", "tool": "2"}),
        ["keystone"],
        shelf,
    )
    assert set(resolution.nodes) == {"keystone", "a", "tool"}
    assert resolution.nodes["tool"].origin == "build"
    assert resolution.nodes["keystone"].build == ("tool",)


def test_prereleases_and_post_releases_of_the_platform_fit() -> None:
    shelf = Shelf(keystone=["a>=1.0", "b!=1.0"])
    nodes = resolve(
        release({"keystone": "1"}, KEYSTONE),
        platform({"a": "2.0rc1", "b": "1.0.post1"}),
        ["keystone"],
        shelf,
    ).nodes
    assert {nodes["a"].origin, nodes["b"].origin} == {"platform"}


def test_extras_that_are_asked_for_are_followed() -> None:
    shelf = Shelf(
        keystone=["cache[Dog_Pile]>=1", 'ldap; extra == "ldap"', 'keystone[ldap]; extra == "everything"'],
        cache=["base", 'pile; extra == "dog-pile"', 'never; extra == "other"'],
    )
    pins = {"keystone": "1", "cache": "1", "base": "1", "pile": "1", "ldap": "1"}
    plain = resolve(release(pins, KEYSTONE), platform({}), ["keystone"], shelf)
    assert set(plain.nodes) == {"keystone", "cache", "base", "pile"}
    assert plain.nodes["cache"].extras == ("dog-pile",)
    assert plain.nodes["cache"].runtime == ("base", "pile")
    assert plain.nodes["cache"].imports == ("base",)
    assert plain.nodes["keystone"].imports == ("cache", "pile")
    assert plain.nodes["pile"].reasons[0].kind == "extra"
    with_extra = resolve(release(pins, KEYSTONE), platform({}), ["keystone[everything]"], shelf)
    assert set(with_extra.nodes) == {"keystone", "cache", "base", "pile", "ldap"}


def test_markers_are_the_platforms() -> None:
    shelf = Shelf(
        keystone=[
            'old; python_version < "3.13"',
            'new; python_version >= "3.13"',
            'windows; sys_platform == "win32"',
            'exact; python_full_version == "3.13.5"',
        ]
    )
    provided = platform({"new": "1", "exact": "1"})
    nodes = resolve(release({"keystone": "1"}, KEYSTONE), provided, ["keystone"], shelf).nodes
    assert set(nodes) == {"keystone", "new", "exact"}


def test_everything_wrong_is_told_together_before_anything_is_built() -> None:
    shelf = Shelf(keystone=["nopin>=1", "a>=5", "b", "nolock"], b=["a<3"])
    shelf.python = {"b": ">=3.14"}
    with pytest.raises(ResolutionError) as caught:
        resolve(
            release({"keystone": "1", "a": "4", "b": "1", "nolock": "1"}, KEYSTONE, unlocked=["nolock"]),
            platform({"nopin": "0.5"}),
            ["keystone"],
            shelf,
        )
    assert caught.value.problems == [
        "b 1 requires Python >=3.14, and small has 3.13.5.",
        "b requires a<3, and 2026.1 pins a 4.",
        "keystone requires a>=5, and 2026.1 pins a 4.",
        "nolock is needed and the release's lock has no hash of 1 (keystone requires nolock); "
        "small provides none.",
        "nopin is needed and the release has no pin of it (keystone requires nopin>=1); small provides 0.5.",
    ]


def test_what_is_always_built_is_never_the_platforms() -> None:
    resolution = resolve(
        release({"keystone": "1", "a": "2"}, KEYSTONE),
        platform({"a": "3"}),
        ["keystone"],
        Shelf(keystone=["a>=1"]),
        descriptions={"a": PackageDescription(project="a", always_built="for a reason")},
    )
    assert resolution.nodes["a"].version == "2"
    assert resolution.nodes["a"].replaces_because == "is always built here"


def test_a_packagers_exceptions() -> None:
    shelf = Shelf(keystone=["a<2,>=1", "unwanted"])
    description = PackageDescription(
        project="keystone", relax={"a": "works with 2"}, exclude={"unwanted": "never imported"}
    )
    resolution = resolve(
        release({"keystone": "1"}, KEYSTONE),
        platform({"a": "2"}),
        ["keystone"],
        shelf,
        descriptions={"keystone": description},
    )
    assert set(resolution.nodes) == {"keystone", "a"}
    assert resolution.nodes["a"].origin == "platform"


CLIENT = project("python-openstackclient", kind="client-library")
PLACEMENT = project("placement", "openstack-placement", "service")


@pytest.mark.parametrize(
    ("name", "dist"),
    [
        ("keystone", "keystone"),
        ("openstack-keystone", "keystone"),
        ("openstack-keystone-doc", "keystone"),
        ("python3-keystone", "keystone"),
        ("oslo.config", "oslo-config"),
        ("Oslo_Config", "oslo-config"),
        ("python-oslo-config", "oslo-config"),
        ("python3-oslo-config", "oslo-config"),
        ("python-openstackclient", "python-openstackclient"),
        ("python3-openstackclient", "python-openstackclient"),
        ("openstackclient", "python-openstackclient"),
        ("placement", "openstack-placement"),
        ("openstack-placement", "openstack-placement"),
        ("openstack-placement-api", "openstack-placement"),
        ("pyyaml", "pyyaml"),
        ("python3-pyyaml", "pyyaml"),
        ("python3-oslo-config-tests", "oslo-config"),
        ("python-oslo-config-lang", "oslo-config"),
        ("python3-keystone+ldap", "keystone"),
        ("python-django-horizon", "horizon"),
        ("python3-cinder-tests-tempest", "cinder-tempest-plugin"),
        ("openstack-octavia-ui", "octavia-dashboard"),
    ],
)
def test_names_as_people_say_them(name: str, dist: str) -> None:
    others = (
        project("horizon", kind="service").model_copy(update={"package": "python-django-horizon"}),
        project("cinder-tempest-plugin", kind="tempest-plugin"),
        project("octavia-dashboard", kind="horizon-plugin"),
    )
    small = release({"pyyaml": "6"}, KEYSTONE, OSLO, CLIENT, PLACEMENT, *others)
    assert index_name(name, small, platform({})) == dist


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve(release({}, KEYSTONE), platform({}), ["keystne"], Shelf())
    assert list(caught.value.nearest) == ["keystone"]
    assert caught.value.exit_status == 2


def test_order_and_chains_with_a_cycle() -> None:
    shelf = Shelf(keystone=["a", "b"], a=["b"], b=["a", "c"], c=[])
    shelf.build = {"a": ("c",), "keystone": ("tool",), "tool": ("c",)}
    pins = {"keystone": "1", "a": "1", "b": "1", "c": "1", "tool": "1"}
    resolution = resolve(release(pins, KEYSTONE), platform({}), ["keystone"], shelf)
    assert build_layers(resolution) == [[("c",)], [("a", "b"), ("tool",)], [("keystone",)]]
    assert [(r.by, r.kind) for r in shortest_chain(resolution, "c")] == [
        ("", "asked"),
        ("keystone", "runtime"),
        ("b", "runtime"),
    ]
    assert [r.requirement for r in shortest_chain(resolution, "keystone")] == ["keystone"]


NAMES = [f"p{number}" for number in range(8)]


@given(
    graph=st.dictionaries(
        st.sampled_from(NAMES),
        st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 3), st.booleans()), max_size=5),
    ),
    provided=st.dictionaries(st.sampled_from(NAMES), st.integers(1, 3)),
)
def test_every_closure_is_closed_and_least(
    graph: dict[str, list[tuple[str, int, bool]]], provided: dict[str, int]
) -> None:
    """Whatever the requirements: all that is stated holds, nothing is built without a reason."""
    texts = {
        name: [
            f"{other}>={bound}" + ('; extra == "x"' if in_extra else "") for other, bound, in_extra in edges
        ]
        for name, edges in graph.items()
    }
    shelf = Shelf(**texts)
    offered = {name: str(version) for name, version in provided.items()}
    pins = dict.fromkeys(NAMES, "3") | {"keystone": "1"}
    shelf.requires["keystone"] = ("p0[x]", "p1")
    resolution = resolve(release(pins, KEYSTONE), platform(offered), ["keystone"], shelf)
    for node in resolution.built:
        assert {*node.runtime, *node.build, *node.imports} <= set(resolution.nodes)
        assert node.dist == "keystone" or node.dist not in offered or node.replaces_because
        for other, bound, in_extra in graph.get(node.dist, []):
            if other != node.dist and (not in_extra or "x" in node.extras):
                assert int(resolution.nodes[other].version) >= bound
    for name in resolution.nodes:
        assert shortest_chain(resolution, name)[0].kind == "asked"
    assert {d for layer in build_layers(resolution) for group in layer for d in group} == {
        node.dist for node in resolution.built
    }

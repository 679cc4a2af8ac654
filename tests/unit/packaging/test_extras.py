"""Which extras become subpackages, and that it never hangs on what else a run was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from rdo.distribution.description import PackageDescription
from rdo.distribution.models import Platform, Release
from rdo.packaging.extras import is_for_users, packaged_extras
from rdo.packaging.inspection import Inspection
from rdo.packaging.resolution import ResolutionError, resolve
from rdo.packaging.resolution_model import Resolution
from rdo.packaging.spec import generate
from rdo.packaging.spec_model import GeneratedSpec, SpecInputs
from rdo.packaging.stated import Statements, fits
from rdo.upstream.models import Metadata
from tests.unit.packaging.small_release import Shelf, lock, platform, project, release

CLIENT = project("client", kind="client-library")
KEYSTONE = project("keystone", kind="service")


def extras(
    *requires: str,
    pins: Mapping[str, str] | None = None,
    offered: Mapping[str, str] | None = None,
    stated: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Return the packaged extras of a package with these requirements."""
    shelf = Shelf(p=requires)
    metadata = shelf([lock("p", "1")])["p"]
    under = platform(offered or {})
    said = PackageDescription(project="p", extras=None if stated is None else tuple(stated))
    statements = Statements(under.environment, {"p": said})
    return packaged_extras(metadata, release(pins or {}, CLIENT, KEYSTONE), under, statements)


@pytest.mark.parametrize("extra", ["test", "docs", "dev", "all", "typecheck", "full-docs", "Test-Extra"])
def test_extras_for_developers_are_left_aside(extra: str) -> None:
    assert not is_for_users(extra)


def test_what_the_platform_offers_will_do() -> None:
    rows = ('a>=1; extra == "fits"', 'a>=9; extra == "too-old"', 'b; extra == "nowhere"')
    assert extras(*rows, offered={"a": "2"}) == ("fits",)


def test_a_pin_without_an_offer_will_not_do_since_some_runs_do_not_build_it() -> None:
    assert extras('a; extra == "x"', pins={"a": "2"}) == ()


def test_where_some_run_builds_it_the_pin_must_fit_too() -> None:
    assert extras('a<2; extra == "x"', offered={"a": "1"}) == ("x",)
    assert extras('a<2; extra == "x"', offered={"a": "1"}, pins={"a": "3"}) == ()


def test_what_the_package_requires_anyway_is_there() -> None:
    assert extras("a", 'a>=2; extra == "x"', 'a>=3; extra == "y"', pins={"a": "2"}) == ("x",)


def test_the_platforms_own_packages_of_openstack_do_not_count() -> None:
    assert extras('keystone; extra == "x"', offered={"keystone": "1"}, pins={"keystone": "1"}) == ()
    assert extras("keystone", 'keystone>=1; extra == "x"', pins={"keystone": "1"}) == ("x",)


def test_extras_made_of_extras_need_their_parts() -> None:
    parts = ('a; extra == "a"', 'b; extra == "b"', 'p[a]; extra == "good"', 'p[a,b]; extra == "bad"')
    assert extras(*parts, offered={"a": "1"}) == ("a", "good")
    assert extras('p[y]; extra == "x"', 'p[x]; extra == "y"') == ()


def test_extras_of_other_packages_cannot_be_judged() -> None:
    assert extras('a[z]; extra == "x"', offered={"a": "1"}) == ()


def test_a_description_has_the_last_word() -> None:
    rows = ('a; extra == "fits"', 'b; extra == "test"')
    assert extras(*rows, offered={"a": "1"}, stated=["test"]) == ("test",)
    assert extras(*rows, offered={"a": "1"}, stated=[]) == ()


def test_what_stated_extras_need_is_always_built() -> None:
    shelf = Shelf(keystone=['a; extra == "ldap"', 'b; extra == "other"'])
    stated = PackageDescription(project="keystone", extras=("LDAP",))
    resolution = resolve(
        release({"keystone": "1", "a": "1"}, KEYSTONE),
        platform({}),
        ["keystone"],
        shelf,
        descriptions={"keystone": stated},
    )
    assert set(resolution.nodes) == {"keystone", "a"}
    assert resolution.nodes["keystone"].runtime == ("a",)
    assert resolution.nodes["a"].reasons[0].kind == "extra"


def test_a_stated_extra_that_is_not_there_is_a_mistake() -> None:
    stated = {"keystone": PackageDescription(project="keystone", extras=("ldpa",))}
    with pytest.raises(ResolutionError, match=r"keystone 1 has no extra ldpa, which its package\.yaml"):
        resolve(
            release({"keystone": "1"}, KEYSTONE), platform({}), ["keystone"], Shelf(), descriptions=stated
        )


def test_the_subpackage_of_extras_made_of_extras_requires_those() -> None:
    shelf = Shelf(keystone=['a; extra == "a"', 'keystone[a]; extra == "both"'])
    here, under = release({"keystone": "1"}, KEYSTONE), platform({"a": "1"})
    text = specs(resolve(here, under, ["keystone"], shelf), here, under)["keystone"].text
    section = text[text.index("%package -n python3-keystone+both") :].split("\n\n")[0]
    assert "Requires:       python3-keystone+a = " in section


# asked in two ways


def specs(resolution: Resolution, here: Release, under: Platform) -> dict[str, GeneratedSpec]:
    """Return the specs of all that a resolution builds."""
    return {
        node.dist: generate(
            SpecInputs(
                release=here,
                platform=under,
                node=node,
                metadata=licensed(resolution.metadata[node.dist]),
                inspection=Inspection(modules=(node.dist,)),
                lock=lock(node.dist, node.version).model_copy(update={"uploaded": "2026-01-01T00:00:00Z"}),
                project=here.project_of(node.dist),
            )
        )
        for node in resolution.built
    }


def licensed(metadata: Metadata) -> Metadata:
    return metadata.model_copy(update={"license_expression": "MIT", "top_folder": "x", "summary": "S"})


def test_another_project_in_the_run_brings_no_other_extras() -> None:
    shelf = Shelf(
        keystone=["lib>=1", "both[x]>=1"],
        client=["lib", "kafka>=2", "both>=2"],
        lib=['kafka; extra == "kafka"', 'both; extra == "both"'],
        both=['kafka; extra == "x"'],
    )
    here = release({"keystone": "1", "client": "1", "lib": "1", "kafka": "2", "both": "2"}, KEYSTONE, CLIENT)
    under = platform({"both": "1", "kafka": "1"})
    alone = specs(resolve(here, under, ["keystone"], shelf), here, under)
    together = specs(resolve(here, under, ["keystone", "client", "lib[kafka]"], shelf), here, under)
    assert set(alone) < set(together)
    assert {dist: together[dist].text for dist in alone} == {dist: spec.text for dist, spec in alone.items()}
    assert together["lib"].subpackages == ("python3-lib", "python3-lib+both", "python3-lib+kafka")


NAMES = ["client", "keystone", *(f"p{number}" for number in range(5))]
ASKED = [*NAMES, "p0[x]", "p1[x]"]
EDGES = st.tuples(
    st.sampled_from(NAMES), st.integers(1, 3), st.sampled_from(["", "x", "y"]), st.sampled_from(["", "x"])
)


@given(
    graph=st.dictionaries(st.sampled_from(NAMES), st.lists(EDGES, max_size=6)),
    offered=st.dictionaries(st.sampled_from(NAMES), st.integers(1, 3)),
    asked=st.lists(st.sampled_from(ASKED), min_size=1, max_size=4),
)
def test_specs_are_the_same_however_it_was_asked(
    graph: dict[str, list[tuple[str, int, str, str]]], offered: dict[str, int], asked: list[str]
) -> None:
    """Whatever the requirements: one spec a package, and what its extras need is there in every run."""
    shelf = Shelf(
        **{
            name: [
                f"{other}{f'[{of}]' if of else ''}>={bound}" + (f'; extra == "{extra}"' if extra else "")
                for other, bound, extra, of in edges
            ]
            for name, edges in graph.items()
        }
    )
    here = release(dict.fromkeys(NAMES, "3"), KEYSTONE, CLIENT)
    under = platform({name: str(version) for name, version in offered.items()})
    whole = specs(resolve(here, under, ASKED, shelf), here, under)
    part = resolve(here, under, asked, shelf)
    made = specs(part, here, under)
    assert {dist: spec.text for dist, spec in made.items()} == {
        d: s.text for d, s in whole.items() if d in made
    }
    statements = Statements(under.environment)
    for node in part.built:
        metadata = part.metadata[node.dist]
        for extra in packaged_extras(metadata, here, under, statements):
            for need in statements.of_extra(metadata, extra):
                there = part.nodes.get(need.dist)
                version = there.version if there is not None else under.provides[need.dist].version
                assert fits(need.specifier, version), Requirement(need.text)

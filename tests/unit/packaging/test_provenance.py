"""Where parts of recorded packages come from, and what can be read back from their specs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rdo.distribution.description import PackageDescription
from rdo.packaging.provenance import BinaryView, PackageView, Part, Provenance
from rdo.packaging.spec import generate
from rdo.packaging.spec_text import binary_packages
from tests.unit.packaging.recorded_packages import inputs_of, names


def provenance(name: str, **stated: object) -> Provenance:
    inputs = inputs_of(name)
    if stated:
        description = PackageDescription.model_validate({"project": name, **stated})
        inputs = replace(inputs, description=description)
    return Provenance(inputs, generate(inputs))


def packages(view: PackageView) -> dict[str, BinaryView]:
    return {package.name: package for package in view.packages}


def origins(parts: tuple[Part, ...]) -> dict[str, tuple[str, str | None]]:
    return {part.text: (part.origin, part.detail) for part in parts}


@pytest.mark.parametrize("name", names())
def test_a_spec_is_read_back(name: str) -> None:
    made = generate(inputs_of(name))
    found = binary_packages(made.text)
    assert [package.name for package in found] == list(made.subpackages)
    assert all(package.summary and package.files for package in found)


def test_sections_and_tags_of_a_spec() -> None:
    text = (
        "Name:           openstack-x\nSummary:        100%% x\nRequires:       a >= 1\n\n%description\n"
        "Requires:       prose\n\n%package -n x+e\nSummary:        The e\nRecommends:     b\n\n%install\n"
        "Requires: no\n\n%files\n%license LICENSE\n\n%files -n x+e -f some.list\n/usr/bin/e\n\n"
        "%changelog\n- x\n"
    )
    main, extra = binary_packages(text)
    assert (main.name, main.summary, main.requires) == ("openstack-x", "100% x", ["a >= 1"])
    assert main.files == ["%license LICENSE"]
    assert (extra.name, extra.recommends, extra.files) == ("x+e", ["b"], ["some.list", "/usr/bin/e"])


def test_requirements_are_in_upstreams_words() -> None:
    found = packages(provenance("keystone").view())
    modules = origins(found["python3-keystone"].requires)
    assert modules["python3dist(webob) >= 1.7.1"] == ("upstream", "WebOb>=1.7.1")
    extra = origins(found["python3-keystone+ldap"].requires)
    assert extra["python3dist(ldappool) >= 2.3.1"] == ("upstream", 'ldappool>=2.3.1; extra == "ldap"')
    main = origins(found["openstack-keystone"].requires)
    assert main["logrotate"] == ("derived", None)
    assert {origin for origin, _ in main.values()} == {"derived"}


def test_build_requirements_say_what_they_are_for() -> None:
    found = origins(provenance("keystone").view().build_requires)
    assert found["python3dist(pbr) >= 6.1.1"] == ("upstream", "pbr>=2.0.0, to build it")
    both = next(text for text in found if text.startswith("(python3dist(pbr)"))
    assert found[both] == ("upstream", "pbr!=2.1.0,>=2.0.0, to run it")
    assert found["gettext"] == ("derived", None)
    assert origins(provenance("pyyaml").view().build_requires)["libyaml-devel"] == ("package.yaml", None)


def test_a_packagers_exceptions_are_shown_with_their_reasons() -> None:
    view = provenance(
        "oslo-log", relax={"pbr": "tested"}, exclude={"python-dateutil": "unused"}, requires=["chrony"]
    ).view()
    modules = origins(packages(view)["python3-oslo-log"].requires)
    assert modules["chrony"] == ("package.yaml", None)
    assert any(detail and detail.endswith("; no upper bound: tested") for _, detail in modules.values())
    assert not any("dateutil" in text for text in modules)
    assert view.left_out == (Part(text="python-dateutil", origin="package.yaml", detail="unused"),)


def test_what_only_a_built_package_requires() -> None:
    asked = provenance("keystone")
    assert asked.requirement("python3-keystone", "python(abi) = 3.13").origin == "generator"
    assert asked.requirement("python3-keystone", "python3.13dist(webob) >= 1.7.1") == Part(
        text="python3.13dist(webob) >= 1.7.1", origin="upstream", detail="WebOb>=1.7.1"
    )
    assert asked.requirement("openstack-keystone", "python3-keystone = 1:29.0.2-1").origin == "derived"
    assert asked.requirement("openstack-keystone", "user(keystone)").origin == "generator"


@pytest.mark.parametrize(
    ("line", "origin"),
    [
        ("/usr/lib/python3.13/site-packages/keystone/__init__.py", "upstream"),
        ("%{python3_sitelib}/keystone/tests", "upstream"),
        ("/usr/share/licenses/python3-keystone/LICENSE", "upstream"),
        ("/usr/bin/keystone-manage", "upstream"),
        ("/usr/share/locale/de/LC_MESSAGES/keystone.mo", "upstream"),
        ("/etc/keystone/sso_callback_template.html", "upstream"),
        ("/etc/keystone/keystone.conf", "derived"),
        ("%{_sysusersdir}/openstack-keystone.conf", "derived"),
    ],
)
def test_files(line: str, origin: str) -> None:
    assert provenance("keystone").file(line).origin == origin


def test_files_of_the_description() -> None:
    service = {
        "files": [{"source": "a", "target": "%{_sysconfdir}/keystone/b.conf", "upstream": True}],
        "units": ["keystone-x.service"],
    }
    stated = PackageDescription.model_validate({"project": "keystone", "service": service})
    inputs = inputs_of("keystone")
    asked = Provenance(replace(inputs, description=stated), generate(inputs))
    assert asked.file("%config(noreplace) %{_sysconfdir}/keystone/b.conf").origin == "package.yaml"
    assert asked.file("/usr/lib/systemd/system/keystone-x.service").origin == "package.yaml"

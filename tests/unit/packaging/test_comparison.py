from rdo.distribution.project_list import ListedProject
from rdo.packaging.comparison import Compared, compare
from tests.unit.packaging.small_release import project, release

NOVA = project("nova", kind="service")
CONFIG = project("oslo.config", "oslo-config")
CLIENT = project("python-novaclient")
GONE = project("vitrage", kind="service")


def compared(entry: dict[str, str], **not_shipped: str) -> Compared:
    this = release({}, NOVA, CONFIG, CLIENT).model_copy(update={"not_shipped": not_shipped})
    other = release({}, GONE).model_copy(update={"series": "2025.2"})
    (found,) = compare(this, [ListedProject.model_validate(entry)], [other])
    return found


def test_shipped_under_the_same_name() -> None:
    found = compared({"project": "nova", "source_package": "openstack-nova"})
    assert (found.status, found.package, found.version) == ("shipped", "openstack-nova", "1.0")
    assert not found.renamed


def test_the_repository_tells_which_project_it_is() -> None:
    found = compared({"project": "oslo-config", "upstream": "https://example.org/openstack/oslo.config"})
    assert (found.project, found.package) == ("oslo.config", "python-oslo-config")
    client = {"project": "novaclient", "upstream": "https://example.org/openstack/python-novaclient"}
    assert compared(client).package == "python-novaclient"


def test_another_source_package() -> None:
    found = compared({"project": "nova", "source_package": "nova"})
    assert (found.status, found.renamed) == ("shipped", True)
    assert not compared({"project": "nova"}).renamed


def test_left_out_with_a_reason() -> None:
    assert compared({"project": "nova"}, nova="Of no use.").reason == "Of no use."
    packstack = {"project": "packstack", "upstream": "https://example.org/openstack/packstack"}
    found = compared(packstack, packstack="Superseded.")
    assert (found.status, found.reason, found.project) == ("not shipped", "Superseded.", None)


def test_reasons_that_follow_from_the_entry_or_the_series() -> None:
    assert compared({"project": "puppet-nova", "kind": "puppet"}).reason == (
        "A Puppet module, no Python package."
    )
    assert compared({"project": "vitrage"}).reason == (
        "Upstream has no release of it in 2026.1, as it has in 2025.2."
    )


def test_what_nobody_explains() -> None:
    found = compared({"project": "edpm"})
    assert (found.status, found.reason, found.package) == ("unexplained", None, None)

"""Upstream's tests of a cloud: what tempest is told of it, and what is made of what it tells."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rdo.cloud.credentials import Credentials
from rdo.cloud.deployment import Deployment
from rdo.cloud.pki import Authority
from rdo.cloud.plan import Plan, Target
from rdo.cloud.tempest import Result, SilentListener, run_tempest
from rdo.cloud.tempest_options import PREFIX, tempest_options
from rdo.cloud.topology import Cloud, Host, Repository, Role, Site, Storage
from rdo.cloud.verify import VerificationError
from tests.unit.packaging.small_release import platform as small_platform


def site(*hosts: Host, **fields: Any) -> Site:
    only = Host(name="one", address=ip_address("192.0.2.10"))
    return Site(
        cloud=Cloud(hosts=hosts or (only,), **fields),
        repository=Repository(series="2026.1", platform="debian13", server="", public_key=""),
    )


def test_tempest_is_told_where_the_cloud_is_and_whom_to_trust() -> None:
    options = tempest_options(site(region="North"))
    assert options["identity"]["uri_v3"] == "https://192.0.2.10:5000/v3"
    assert options["identity"]["ca_certificates_file"] == "/etc/pki/rdo/ca.crt"
    assert options["dashboard"]["dashboard_url"] == "https://192.0.2.10:443/dashboard/"
    assert {options[name]["region"] for name in ("identity", "compute", "network", "volume", "image")} == {
        "North"
    }
    assert options["DEFAULT"]["resource_name_prefix"] == PREFIX
    assert "password" not in json.dumps(options).replace("change_password", "")


def test_only_services_that_are_there_are_tested() -> None:
    options = tempest_options(site(services=("keystone", "glance")))
    assert options["service_available"] == {
        "cinder": "false",
        "glance": "true",
        "horizon": "false",
        "neutron": "false",
        "nova": "false",
        "swift": "false",
    }
    assert not {"compute", "network", "volume", "dashboard", "scenario", "object-storage"} & options.keys()
    objects = tempest_options(site(services=("keystone", "swift")))
    assert objects["service_available"]["swift"] == "true"
    assert objects["object-storage"]["operator_role"] == "member"


def test_machines_move_where_there_is_another_host() -> None:
    alone = tempest_options(site())
    assert alone["compute-feature-enabled"]["live_migration"] == "false"
    assert alone["compute-feature-enabled"]["resize"] == "false"
    first = Host(name="one", address=ip_address("192.0.2.10"))
    second = Host(name="two", address=ip_address("192.0.2.11"), roles=(Role.COMPUTE,))
    features = tempest_options(site(first, second))["compute-feature-enabled"]
    assert features["live_migration"] == features["cold_migration"] == features["resize"] == "true"
    assert features["block_migration_for_live_migration"] == "false", "disks are in Ceph"
    local = tempest_options(site(first, second, storage=Storage(disks="local")))
    assert local["compute-feature-enabled"]["block_migration_for_live_migration"] == "true"
    assert local["compute"]["min_compute_nodes"] == "2"


@pytest.mark.parametrize(
    ("storage", "protocol", "snapshots"),
    [
        (Storage(), "ceph", "true"),
        (Storage(volumes="lvm"), "iSCSI", "true"),
        (Storage(volumes="nfs", nfs_share="192.0.2.9:/volumes"), "nfs", "false"),
    ],
)
def test_volumes_are_what_their_back_end_can(storage: Storage, protocol: str, snapshots: str) -> None:
    options = tempest_options(site(storage=storage))
    assert options["volume"]["storage_protocol"] == protocol
    assert options["volume-feature-enabled"]["snapshot"] == snapshots
    assert options["volume-feature-enabled"]["backup"] == "false"


# What the program on the controller tells stands in a file; a command called ssh plays it.
_SSH = r"""#!/bin/bash
echo "$*" >>"$RDO_TEST/arguments"
case "${!#}" in
*"'bash -s'")
    read -r first
    if [ "$first" != "exec 8<&0" ]; then cat >/dev/null; exit "$(cat "$RDO_TEST/install")"; fi
    cat "$RDO_TEST/events"
    while read -r line; do
        [ "$line" != stop ] || echo '{"event": "end", "error": null, "stopped": true}'
    done ;;
*"'cd "*) cat "$RDO_TEST/files" ;;
*) cat >/dev/null ;;
esac
"""


class Controller:
    """A controller that is played."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority, credentials = Authority(folder / "pki"), Credentials(folder / "passwords.json")
        self.secret = credentials["admin"].get_secret_value()
        self.deployment = Deployment(
            site=site(),
            credentials=credentials,
            plans=(Plan(host=site().cloud.controller.name, steps=()),),
            targets=(Target(host="192.0.2.10"),),
            folder=folder,
            certificates={},
            authority=authority,
            platform=small_platform({}),
        )
        self.says()

    def says(self, *events: dict[str, Any], files: dict[str, str] | None = None, install: int = 0) -> None:
        (self.folder / "events").write_text("".join(json.dumps(event) + "\n" for event in events))
        (self.folder / "install").write_text(str(install))
        with tarfile.open(self.folder / "files", "w:gz") as archive:
            for name, text in (files or {}).items():
                (self.folder / "file").write_text(text)
                archive.add(self.folder / "file", name)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Controller:
    command = tmp_path / "bin/ssh"
    command.parent.mkdir()
    command.write_text(_SSH)
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("RDO_TEST", str(tmp_path))
    return Controller(tmp_path)


def event(name: str, status: str = "success", words: str = "") -> dict[str, Any]:
    return {"event": "test", "name": name, "status": status, "seconds": 1.5, "words": words}


_A, _B = "tempest.api.x.A", "tempest.api.x.B"
_NAMES = {"event": "count", "names": [f"{_A}.test_1", f"{_A}.test_2", f"{_B}.test_3", f"{_B}.test_4"]}
_END = {"event": "end", "error": None, "stopped": False}


def test_results_are_told_and_kept_without_secrets(host: Controller) -> None:
    failure = event(f"{_A}.test_2", "fail", f"Traceback\nno such password {host.secret}")
    host.says(
        _NAMES,
        event(f"{_A}.test_1"),
        failure,
        event(f"setUpClass ({_B})", "skip", "no swift"),
        {"event": "left", "what": ["networks: somebody's"]},
        _END,
        files={"etc/tempest.conf": f"[auth]\nadmin_password = {host.secret}\n", "logs/tempest.log": "line\n"},
    )
    settled: list[int] = []

    class Ear(SilentListener):
        def test(self, result: Result, settled: int, out: Callable[[int], None] = settled.append) -> None:
            out(settled)

    report = run_tempest(host.deployment, None, listener=Ear())
    assert settled == [1, 1, 2]
    assert (report.chosen, report.count("success"), report.count("skip")) == (4, 1, 2)
    assert [one.name for one in report.failed] == [f"{_A}.test_2"]
    assert not report.ok
    assert report.folder.parent == host.folder / "tempest"
    kept = {file.name: file.read_bytes() for file in report.folder.iterdir()}
    assert kept.keys() == {"results.json", "junit.xml", "tempest.conf", "tempest.log.gz"}
    assert gzip.decompress(kept["tempest.log.gz"]) == b"line\n"
    assert b"********" in kept["tempest.conf"]
    assert all(host.secret.encode() not in content for content in kept.values())
    suite = ElementTree.fromstring(kept["junit.xml"])
    assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None] == [
        "test_2"
    ]
    assert host.secret not in (host.folder / "arguments").read_text()


def test_what_others_make_meanwhile_is_no_failure(host: Controller) -> None:
    left = ["servers: web1", "floatingips: 203.0.113.5"]
    host.says(_NAMES, event(f"{_A}.test_1"), {"event": "left", "what": left}, _END)
    report = run_tempest(host.deployment, None)
    assert report.ok
    assert list(report.left) == left
    host.says(_NAMES, {"event": "left", "what": [f"networks: {PREFIX}-net"]}, _END)
    assert not run_tempest(host.deployment, None).ok


def test_a_class_that_can_not_be_prepared_is_a_failure(host: Controller) -> None:
    host.says(_NAMES, event(f"setUpClass ({_A})", "fail", "no quota"), _END)
    report = run_tempest(host.deployment, None)
    assert [one.words for one in report.failed] == ["no quota"]


def test_an_interrupted_run_is_ended_there_and_kept(host: Controller) -> None:
    host.says(_NAMES, event(f"{_A}.test_1"))

    class Impatient(SilentListener):
        def test(self, result: Result, settled: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tempest(host.deployment, None, listener=Impatient())
    (folder,) = (host.folder / "tempest").iterdir()
    results = json.loads((folder / "results.json").read_text())
    assert results["interrupted"]
    assert [one["name"] for one in results["results"]] == [f"{_A}.test_1"]


def test_what_keeps_it_from_running_is_said(host: Controller) -> None:
    host.says(install=1)
    with pytest.raises(VerificationError, match="can't be installed") as refused:
        run_tempest(host.deployment, None)
    assert "rdo build --release 2026.1 tempest" in str(refused.value.hint)
    host.says({"event": "step", "title": "x"})
    (host.folder / "bin/ssh").write_text(_SSH.replace("while read", "exit; while read"))
    with pytest.raises(VerificationError, match="broke off"):
        run_tempest(host.deployment, None)
    (host.folder / "bin/ssh").write_text(_SSH)
    host.says({**_END, "error": "tempest init: exit 1"})
    with pytest.raises(VerificationError, match="tempest init: exit 1"):
        run_tempest(host.deployment, None)

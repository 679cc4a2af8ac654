"""An operator's values reach root's scripts only as words, or are refused where they were written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdo.cloud import backup
from rdo.cloud.answerfile import read_answers
from rdo.cloud.cloudfile import read_cloud
from rdo.cloud.operations import scripts_for
from rdo.cloud.plan import Database, Plan, Script, Service
from rdo.cloud.topology import SERVICES, Cloud
from rdo.common.errors import DataError, InputError
from tests.unit.cloud.whole_clouds import make_plans

HOSTILE = (
    *("x; reboot", "$(reboot)", "`reboot`", "a b", "x\nreboot", "'; reboot; '", '"; reboot; "', "x|reboot"),
    *("x>y", "x&reboot", "*", "~", "\\", "{a,b}", "!!", "#", "$HOME", "x\treboot", "--help x", "é;"),
)
_ANY = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.sampled_from("ab1-_. ;|&$(){}[]<>`'\"\\*?~#!%=,:@/\n\t"), min_size=1, max_size=12),
)
Way = tuple[str | int, ...]
#: Whatever text an operator may write, and what would be there otherwise.
FIELDS: Mapping[Way, str] = {
    ("name",): "harmless",
    ("region",): "harmless",
    ("series",): "harmless",
    ("platform",): "harmless",
    ("repository",): "http://harmless.example",
    ("repository_key",): "harmless",
    ("hosts", 0, "name"): "harmless",
    ("hosts", 0, "address"): "192.0.2.77",
    ("hosts", 0, "ssh"): "root@harmless",
    ("hosts", 0, "tunnel"): "198.51.100.77/24",
    ("hosts", 0, "tunnel_interface"): "harmless",
    ("hosts", 0, "external_interface"): "harmless",
    ("external", "name"): "harmless",
    ("external", "subnet"): "203.0.113.0/24",
    ("external", "gateway"): "203.0.113.1",
    ("storage", "nfs_share"): "harmless:/share",
    ("storage", "volume_group"): "harmless",
    ("storage", "cluster", "fsid"): "4b5c8c0a-ff60-454b-a1b4-9747aa737d19",
    ("storage", "cluster", "monitors", 0): "192.0.2.50",
    ("storage", "cluster", "pools", "images"): "harmless",
    ("storage", "cluster", "pools", "disks"): "harmless",
    ("options", "nova", "DEFAULT", "debug"): "harmless",
    ("options", "swift", "filter:ratelimit", "rate"): "harmless",
}


def described(way: Way, value: str) -> dict[str, Any]:
    """Return a cloud's file with a value at one place."""
    only: dict[str, Any] = {"name": "one", "address": "192.0.2.10", "tunnel": "198.51.100.1/24"}
    only |= {"tunnel_interface": "eth1", "external_interface": "eth2"}
    file: dict[str, Any] = {
        "services": list(SERVICES),
        "datapath": "userspace",
        "hosts": [only],
        "external": {},
        "storage": {"volumes": "nfs", "nfs_share": "192.0.2.60:/x"},
        "options": {"nova": {"DEFAULT": {}}, "swift": {"filter:ratelimit": {}}},
    }
    if "cluster" in way:
        cluster = {"fsid": str(FIELDS["storage", "cluster", "fsid"]), "monitors": ["192.0.2.50"]}
        file["storage"]["cluster"] = cluster | {"keyrings": "keys", "pools": {}}
    if way == ("repository_key",):
        file["repository"] = "http://192.0.2.1"
    place: Any = file
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = value
    return file


def skeleton(plan: Plan) -> str:
    """Return the scripts of a plan as bash has understood them, without quotes."""
    earlier = {step.id: step for step in plan.steps}
    # files and jobs are in here-documents, as base64 and JSON
    steps = [step for step in plan.steps if isinstance(step, Script | Service | Database)]
    scripts = [s for step in steps for made in [scripts_for(step, earlier)] for s in (made.guard, made.make)]
    text = "".join(f"rdo() {{\n{s.reveal()}\n:\n}}\ndeclare -f rdo\n" for s in scripts)
    done = subprocess.run(["bash", "-s"], input=text.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    return unquoted(done.stdout.decode())


def unquoted(text: str) -> str:
    for sign in ("'\"'\"'", "'", '"', "\\"):
        text = text.replace(sign, "")
    return text


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.mark.parametrize("way", FIELDS, ids=lambda way: ".".join(map(str, way)))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=_ANY)
def test_a_value_is_refused_with_its_line_or_is_a_word(kept: Path, way: Way, value: str) -> None:
    path = kept / "cloud.yaml"
    path.write_text(yaml.safe_dump(described(way, value), sort_keys=False, allow_unicode=True))
    try:
        cloud = read_cloud(path)
    except DataError as error:
        named = [problem for problem in error.problems if problem.file == path and problem.line]
        assert named and len(error.problems) == len(named)
        return
    (plan,) = make_plans(cloud, kept, {})
    (other,) = make_plans(Cloud.model_validate(described(way, FIELDS[way])), kept, {})
    if "harmless" in FIELDS[way]:
        word = FIELDS[way]
        assert skeleton(plan) == skeleton(other).replace(unquoted(word), unquoted(value))


#: What the model would refuse: scripts would hold all the same.
UNCHECKED: tuple[Way, ...] = (
    ("region",),
    ("hosts", 0, "external_interface"),
    ("hosts", 0, "tunnel_interface"),
    ("storage", "cluster", "pools", "images"),
    ("storage", "cluster", "pools", "disks"),
)


@pytest.mark.parametrize("way", UNCHECKED, ids=lambda way: ".".join(map(str, way)))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=_ANY.filter(lambda value: value.strip() and not set(value) & set("'\"\\")))
def test_scripts_themselves_let_no_value_out_of_its_word(kept: Path, way: Way, value: str) -> None:
    cloud = Cloud.model_validate(described(way, FIELDS[way]))
    secrets = {"ceph_key_glance": "KEY", "ceph_key_nova": "KEY"}
    (plan,), (other,) = (make_plans(put(cloud, way, text), kept, secrets) for text in (value, "qzq"))
    assert skeleton(plan) == skeleton(other).replace("qzq", unquoted(value))


def put(model: Any, way: Way, value: str) -> Any:
    """Return a model with a value at a place, which nobody has checked."""
    first, *rest = way
    if isinstance(first, int):
        return (*model[:first], put(model[first], tuple(rest), value), *model[first + 1 :])
    new = value if not rest else put(getattr(model, first), tuple(rest), value)
    return model.model_copy(update={first: new})


def test_all_that_an_answer_file_has_wrong_is_named_with_lines(tmp_path: Path) -> None:
    path = tmp_path / "answers.txt"
    path.write_text(
        "[general]\nCONFIG_CONTROLLER_HOST=192.0.2.10\nCONFIG_KEYSTONE_REGION=EU West\n"
        "CONFIG_NEUTRON_OVN_BRIDGE_IFACES=br-ex:eth2; reboot\nCONFIG_CINDER_BACKEND=nfs\n"
        "CONFIG_CINDER_NFS_MOUNTS=192.0.2.60:/x;reboot\nCONFIG_CINDER_VOLUME_NAME=$(reboot)\n"
        "CONFIG_COMPUTE_HOSTS=fe80::1%$(reboot)\n"
    )
    with pytest.raises(DataError) as caught:
        read_answers(path, name="prod")
    found = {problem.line: problem.message for problem in caught.value.problems}
    assert sorted(found) == [3, 4, 6, 7, 8]
    assert found[3].startswith("CONFIG_KEYSTONE_REGION: 'EU West' is not a region's name")
    assert found[4].startswith(
        "CONFIG_NEUTRON_OVN_BRIDGE_IFACES: 'eth2; reboot' is not the name of an interface"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cloud", "../../etc"),
        ("databases", ["nova; reboot"]),
        ("databases", ["`reboot`"]),
        ("ovn", ["$(reboot)"]),
        ("hosts", ["../x"]),
    ],
)
def test_a_backups_names_reach_neither_folders_nor_scripts(tmp_path: Path, field: str, value: object) -> None:
    manifest: dict[str, object] = {"cloud": "demo", "series": "2026.1", "made": "2026-11-30T00:00:00Z"}
    manifest |= {"packages": {}, "databases": ["nova"], "ovn": ["ovnnb"], "hosts": ["demo"], "pieces": []}
    (tmp_path / backup.MANIFEST).write_text(json.dumps(manifest))
    assert backup.read(tmp_path).cloud == "demo"
    (tmp_path / backup.MANIFEST).write_text(json.dumps(manifest | {field: value}))
    with pytest.raises(InputError, match=field):
        backup.read(tmp_path)

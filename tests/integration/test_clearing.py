"""Removal of a cloud's data beside file systems that are mounted there, in a namespace of mounts."""

from __future__ import annotations

import subprocess

import pytest

from rdo.cloud.clearing import look_script, removal_script

pytestmark = pytest.mark.root

INSTANCES = "/var/lib/nova/instances"

# A separate mount namespace, where /var/lib and /srv are empty and may be filled.
_WORLD = f"""
set -e
mount --make-rprivate /
mount -t tmpfs ours /var/lib
mount -t tmpfs ours /srv
mkdir -p {INSTANCES}/7f/deep /srv/node/data /var/lib/shared
echo ours >{INSTANCES}/7f/disk
echo theirs >/var/lib/shared/disk
echo ours >/srv/node/data/object
"""
_TELL = 'echo "status $?"; find /var/lib /srv -name disk -o -name object | sort; echo "theirs: $(cat {})"'


def in_world(script: str) -> list[str]:
    done = subprocess.run(
        ["unshare", "--mount", "bash"], input=_WORLD + script, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [*done.stdout.splitlines(), *done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("mount", "theirs", "named"),
    [
        pytest.param(
            f"mount -t tmpfs theirs {INSTANCES}; echo t >{INSTANCES}/disk",
            f"{INSTANCES}/disk",
            f"{INSTANCES} (tmpfs theirs)",
            id="a mount point itself",
        ),
        pytest.param(
            f"mount -t tmpfs theirs {INSTANCES}/7f/deep; echo t >{INSTANCES}/7f/deep/disk",
            f"{INSTANCES}/7f/deep/disk",
            f"{INSTANCES}/7f/deep (tmpfs theirs)",
            id="below",
        ),
        pytest.param(
            f"mount --bind /var/lib/shared {INSTANCES}/7f/deep",
            "/var/lib/shared/disk",
            f"{INSTANCES}/7f/deep (tmpfs ours)",
            id="a folder of the same file system, bound there",
        ),
        pytest.param(
            "mkdir '/var/lib/a b'; mount -t tmpfs theirs '/var/lib/a b'; "
            "mkdir -p '/var/lib/a b/nova/instances'; "
            f"rm -r /var/lib/nova; ln -s '/var/lib/a b/nova' /var/lib/nova; echo t >{INSTANCES}/disk",
            f"{INSTANCES}/disk",
            "/var/lib/a b (tmpfs theirs)",
            id="the service's folder is a link to it",
        ),
        pytest.param(
            f"mount -t tmpfs theirs /var/lib/nova; mkdir {INSTANCES}; echo t >{INSTANCES}/disk",
            f"{INSTANCES}/disk",
            "/var/lib/nova (tmpfs theirs)",
            id="above, at the service's own folder",
        ),
    ],
)
def test_another_file_system_is_refused_by_name_and_survives(mount: str, theirs: str, named: str) -> None:
    tell = _TELL.format(theirs)
    looked = in_world(f"{mount}\nset +e\n{look_script([INSTANCES]).reveal()}")
    assert looked == [f"{INSTANCES}: {named}"]
    refused = in_world(
        f"{mount}\nset +e\n({removal_script([INSTANCES], leave_mounted=False).reveal()})\n{tell}"
    )
    assert "status 1" in refused and any(named in line for line in refused)
    assert any(line in ("theirs: t", "theirs: theirs") for line in refused)
    script = removal_script([INSTANCES, "/srv/node/data"], leave_mounted=True)
    left = in_world(f"{mount}\nset +e\n({script.reveal()})\n{tell}")
    assert "status 0" in left and left.count("theirs: t") + left.count("theirs: theirs") == 1
    assert "/srv/node/data/object" not in left


def test_what_is_the_hosts_own_is_removed() -> None:
    places_of_all = [INSTANCES, "/srv/node/data", "/var/lib/ovn/*.db", "/var/lib/absent"]
    said = in_world(
        "mkdir /var/lib/ovn; touch /var/lib/ovn/ovnnb_db.db /var/lib/ovn/keep\n"
        f"ln -s /var/lib/shared /var/lib/glance\n{look_script(places_of_all).reveal()}\nset +e\n"
        f"({removal_script(places_of_all, leave_mounted=False).reveal()})\n"
        f"{_TELL.format('/var/lib/shared/disk')}\nls /var/lib/ovn"
    )
    assert said == ["status 0", "/var/lib/shared/disk", "theirs: theirs", "keep"]

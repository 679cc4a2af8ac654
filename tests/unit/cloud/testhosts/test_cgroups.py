from __future__ import annotations

from pathlib import Path

import pytest

from rdo.cloud.testhosts import cgroups
from rdo.common.errors import RdoError

HYBRID = """\
25 1 0:22 / /sys/fs/cgroup rw,relatime shared:1 - tmpfs tmpfs rw
26 25 0:23 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
27 25 0:24 / /sys/fs/cgroup/unified rw,relatime shared:2 master:3 - cgroup2 cgroup2 rw
"""


def test_unified_hierarchy_beside_the_old_ones() -> None:
    assert cgroups.unified_hierarchy(HYBRID) == Path("/sys/fs/cgroup/unified")


def test_no_unified_hierarchy_is_said_with_the_remedy() -> None:
    with pytest.raises(RdoError) as caught:
        cgroups.unified_hierarchy("\n".join(HYBRID.splitlines()[:2]))
    assert caught.value.hint is not None and "mount -t cgroup2" in caught.value.hint


def test_removing_goes_from_the_leaves_up(tmp_path: Path) -> None:
    group = tmp_path / "group"
    (group / "a/b").mkdir(parents=True)
    (group / "c").mkdir()
    (group / "cgroup.kill").symlink_to("/dev/null")
    with pytest.raises(OSError):  # a real control group's files don't keep its folder from being removed
        cgroups.remove(group, patience=0)
    assert not (group / "a").exists()
    (group / "cgroup.kill").unlink()
    cgroups.remove(tmp_path / "absent")

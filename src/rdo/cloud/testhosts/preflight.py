"""What must hold on this machine before test hosts can boot."""

from __future__ import annotations

import shutil

from rdo.building.preflight import Shortcoming
from rdo.cloud.testhosts.cgroups import unified_hierarchy
from rdo.common.errors import RdoError

_PROGRAMS = {
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
}


def preflight() -> list[Shortcoming]:
    """Return what keeps this machine from booting test hosts. It makes nothing and takes milliseconds."""
    found = []
    missing = [name for name in _PROGRAMS if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
    if missing:
        packages = " ".join(sorted({_PROGRAMS[name] for name in missing}))
        found.append(Shortcoming(f"Missing: {', '.join(missing)}.", f"Install: apt-get install {packages}"))
    try:
        unified_hierarchy()
    except RdoError as error:
        found.append(Shortcoming(error.what, error.hint or "Use a kernel and a system that have cgroup2."))
    return found

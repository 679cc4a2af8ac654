"""createrepo_c, which reads rpm's configuration when it is loaded and complains where a host has none."""

from __future__ import annotations

import importlib
import os
from functools import cache
from pathlib import Path
from typing import Any


@cache
def createrepo() -> Any:
    """Return the module ``createrepo_c``; nothing in the configuration it is given matters here."""
    before = os.environ.get("RPM_CONFIGDIR")
    os.environ["RPM_CONFIGDIR"] = str(Path(__file__).parent / "files" / "rpmconfig")
    try:
        return importlib.import_module("createrepo_c")
    finally:
        if before is None:
            del os.environ["RPM_CONFIGDIR"]
        else:
            os.environ["RPM_CONFIGDIR"] = before

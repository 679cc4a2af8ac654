"""Installations for tests of rooms: in folders of the test's own, with the settings that it states."""

from __future__ import annotations

import os
from typing import Any

from rdo.cli.installation import read_settings
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.settings import Settings

#: How this machine reaches others; tests that make roots need it.
_NETWORK = ("debian_mirror", "http_proxy", "https_proxy", "no_proxy", "index_url", "index_certificates")


def settings_of(paths: Paths, **stated: Any) -> Settings:
    """Return settings that lead to folders; of this machine's own they have how it reaches others."""
    machine = read_settings({name: value for name, value in os.environ.items() if name != "RDO_DISTRIBUTION"})
    network = {name: getattr(machine.settings, name) for name in _NETWORK}
    folders = {"state": paths.state, "cache": paths.cache, "distribution": paths.distribution}
    # Tests of single rooms have no data of the distribution, whose folder would be looked for.
    return Settings.model_construct(**{**network, **folders, **stated})


def installation_of(paths: Paths, **stated: Any) -> Installation:
    """Return an installation in folders."""
    return Installation(settings_of(paths, **stated))

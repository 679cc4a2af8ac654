"""A flow: tests of one module that stand and fall together, and what they stand on."""

from __future__ import annotations

import sys
from dataclasses import dataclass

#: The rooms that make packages and repositories.
FACTORY_ROOMS = ("common", "state", "distribution", "upstream", "packaging", "building", "repository")

#: For flows that have to do with clouds: whatever makes packages makes what clouds consist of.
ALL_ROOMS = (*FACTORY_ROOMS, "cloud", "cli")

#: The services of a cloud that is asked for without naming any.
CORE_SERVICES = ("keystone", "glance", "placement", "neutron", "nova", "cinder", "horizon")


@dataclass(frozen=True)
class Flow:
    """Tests of one module that stand and fall together.

    :param rooms: folders or files below ``src/rdo``
    :param series: releases of which it needs the data
    :param services: services whose description it needs; None: all. Libraries' descriptions always count
    :param documents: further files, below the checkout
    :param marks: pytest's expression of marks that selects the tests; all by default
    :param minutes: how long it takes on two cores if this machine has no record of it
    :param likelihood: how often it finds what no other flow finds, against 1 for most of them
    :param always: run it even if it is fresh
    """

    name: str
    module: str
    rooms: tuple[str, ...]
    minutes: float
    series: tuple[str, ...] = ("2026.1",)
    services: tuple[str, ...] | None = ()
    documents: tuple[str, ...] = ()
    marks: str = ""
    likelihood: float = 1.0
    always: bool = False

    @property
    def command(self) -> list[str]:
        """The pytest command that runs it."""
        words = [sys.executable, "-m", "pytest", f"tests/system/{self.module}.py"]
        return [*words, "-m", self.marks] if self.marks else words

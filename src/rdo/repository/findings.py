"""What keeps a repository from being clean, in words and as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rdo.common.errors import RdoError

Kind = Literal[
    "missing", "uninstallable", "file-conflict", "duplicate", "lower-version", "orphan", "held-back"
]


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is not clean.

    ``package`` is the NEVRA that has the trouble; ``requirement`` the RPM dependency or path it is about;
    ``providers`` who offers that name but doesn't help, or the others involved; ``near`` names that look
    alike; ``reason`` a sentence.
    """

    package: str
    kind: Kind
    requirement: str
    reason: str
    providers: tuple[str, ...] = ()
    near: tuple[str, ...] = ()

    def __str__(self) -> str:
        near = f" Near: {', '.join(self.near)}." if self.near else ""
        return f"{self.package}: {self.reason}{near}"

    def as_json(self) -> dict[str, object]:
        """Return the finding as plain values for JSON."""
        return asdict(self)


class UncleanError(RdoError):
    """A repository would not be closed or free of conflicts; it was not published."""

    def __init__(self, name: str, findings: Sequence[Finding]) -> None:
        self.findings = sorted(findings)
        count = f"{len(self.findings)} finding{'s' if len(self.findings) != 1 else ''}"
        lines = "\n".join(f"  {finding}" for finding in self.findings)
        super().__init__(f"{name} is not clean, {count}; nothing was published:\n{lines}")

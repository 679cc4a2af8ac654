"""Whether a flow is fresh or stale, and in which order stale ones run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.flows.flow import Flow
from tests.flows.records import Record, Records, Trouble


@dataclass(frozen=True)
class Standing:
    """A flow as it stands now. ``changed`` are its inputs that differ from those it last passed with."""

    flow: Flow
    inputs: Mapping[str, str]
    fresh: bool
    changed: tuple[str, ...]
    record: Record | None
    trouble: Trouble

    @property
    def minutes(self) -> float:
        """How long it is expected to take: as long as last time here, or as its module says."""
        return self.flow.minutes if self.record is None else self.record.seconds / 60

    @property
    def risk(self) -> float:
        """How likely it is to find something, for the order only.

        What failed last time comes first. Else it grows with the number of changed inputs (all of them if the
        flow never passed here), and with the times that the flow was left out.
        """
        if self.trouble.failed:
            return float("inf")
        return len(self.changed) * self.flow.likelihood * (1 + self.trouble.left_out / 4)

    @property
    def reason(self) -> str:
        """Why it is stale, or when it passed."""
        if self.fresh and self.record is not None:
            return f"passed {self.record.passed}"
        if self.trouble.failed:
            return "failed last time"
        if self.record is None:
            return "never passed here"
        shown = ", ".join(self.changed[:3]) + (
            f" and {len(self.changed) - 3} more" if len(self.changed) > 3 else ""
        )
        return f"changed since {self.record.passed}: {shown}"


def standing_of(flow: Flow, records: Records, inputs: Mapping[str, str]) -> Standing:
    """Compare a flow's inputs with those that it passed with."""
    record, trouble = records.find(flow, inputs), records.trouble(flow)
    fresh = record is not None and not trouble.failed
    record = record or records.newest(flow)
    before = {} if record is None else record.inputs
    changed = sorted(path for path in {*before, *inputs} if before.get(path) != inputs.get(path))
    return Standing(flow, inputs, fresh, () if fresh else tuple(changed), record, trouble)


def in_order(standings: Iterable[Standing]) -> list[Standing]:
    """Return flows in the order in which they run: those that always run, then by falling risk."""
    return sorted(standings, key=lambda one: (not one.flow.always, -one.risk, one.minutes, one.flow.name))

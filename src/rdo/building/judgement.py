"""What a build's artifacts were compared with, as a store keeps it: beside the result.

Earlier versions of rdo read results, and would not know what this is. They may also record a result anew
without it, so it counts only for the artifacts that it names.
"""

from __future__ import annotations

from pydantic import ValidationError

from rdo.building.expectation import Expectation
from rdo.building.models import BuildResult
from rdo.building.values import Value


class Judgement(Value):
    """That artifacts, by SHA-256, are what was expected."""

    artifacts: tuple[str, ...]
    expected: Expectation

    @classmethod
    def of(cls, result: BuildResult) -> Judgement | None:
        """Return a result's; None if its artifacts were never compared."""
        if result.expected is None:
            return None
        return cls(artifacts=tuple(a.sha256 for a in result.artifacts), expected=result.expected)


def judged(result: BuildResult, text: bytes) -> BuildResult:
    """Return a result with the judgement that is kept of it, unless that is of other artifacts.

    :param text: the judgement as JSON; one that can't be read is none
    """
    try:
        judgement = Judgement.model_validate_json(text)
    except ValidationError:
        return result
    if judgement.artifacts != tuple(a.sha256 for a in result.artifacts):
        return result
    return result.model_copy(update={"expected": judgement.expected})

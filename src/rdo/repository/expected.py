"""What is signed is what its build was to make: asked once more, of the records and of the files themselves.

Between a build and its publication lies the store, which may be on another machine, and records may be older
than the comparison. A signature says that RDO stands for a package; so nothing gets one on trust.
"""

from __future__ import annotations

from collections.abc import Sequence

from rdo.building.acceptance import problems_of
from rdo.building.expectation import FORMAT
from rdo.building.models import Artifact, BuildResult
from rdo.building.store import Store
from rdo.common.errors import RdoError
from rdo.common.files import sha256_bytes, write_atomically
from rdo.common.paths import Paths

_MOST = 50


class UnexpectedError(RdoError):
    """Packages are not what their builds were to make; none of them was signed."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        shown = [f"  {problem}" for problem in problems[:_MOST]]
        shown += [f"  and {len(problems) - _MOST} more"] if len(problems) > _MOST else []
        lines = "\n".join(shown)
        super().__init__(
            f"Not everything is what its build was to make; nothing was signed or published:\n{lines}",
            hint="Run rdo build again: what was never compared is compared then, and not built anew.",
        )


def require_expected(artifacts: Sequence[Artifact], store: Store, paths: Paths) -> None:
    """Do nothing if each artifact is what the record of its build expects.

    What was found good is remembered by the hash of all that was compared, and not read again.

    :raises UnexpectedError: with every artifact that isn't, or that no record expects
    """
    problems = []
    results: dict[str, BuildResult] = {}
    for artifact in artifacts:
        result = store.maker(artifact.sha256)
        if result is None:
            problems.append(f"{artifact.filename}: no record of a build has it")
        elif artifact.filename not in {a.filename for a in result.artifacts if a.sha256 == artifact.sha256}:
            problems.append(f"{artifact.filename}: its build made it under another name")
        elif not result.judged:
            problems.append(f"{artifact.filename}: it was never compared with what was to be built")
        else:
            results[result.input_hash] = result
    for result in results.values():
        problems += _problems(result, store, paths)
    if problems:
        raise UnexpectedError(problems)


def _problems(result: BuildResult, store: Store, paths: Paths) -> list[str]:
    assert result.expected is not None
    compared = [result.expected.model_dump_json(), *(a.model_dump_json() for a in result.artifacts)]
    digest = sha256_bytes("\n".join(compared).encode())
    mark = paths.metadata / f"expected-{FORMAT}" / digest[:2] / digest
    if mark.exists():
        return []
    rpms = {artifact.filename: store.path(artifact.sha256) for artifact in result.artifacts}
    problems = problems_of(result.expected, rpms)
    if not problems:
        write_atomically(mark, "", durable=False)
    return problems

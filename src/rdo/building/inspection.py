"""A build's expectation and its judgement, in sealed roots that have nothing of upstream's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rdo.building.acceptance import problems_of
from rdo.building.builder import RawBuild
from rdo.building.dist_info import metadata_problems
from rdo.building.expectation import Expectation
from rdo.building.models import BuildRequest
from rdo.building.planner import RootPlan, RootPlanner
from rdo.building.platform_names import require_free_names
from rdo.building.sealed import scratch_folder
from rdo.building.spec_reader import read_spec

#: What helps against most refusals.
REFUSED = (
    "Nothing of it is kept but its log. `rdo spec` shows what is expected; if the package is meant to be so, "
    "its package.yaml must say it."
)
_METADATA = (
    "Nothing of it is kept but its log. If upstream takes its version from git or the environment, state it "
    'in package.yaml, such as `environment: {PBR_VERSION: "{version}"}` or SETUPTOOLS_SCM_PRETEND_VERSION; '
    "else the pin must say what the source is."
)
_MOST = 20


def read_expectation(
    request: BuildRequest, plan: RootPlan, planner: RootPlanner, inputs: Path, folder: Path
) -> Expectation:
    """Return what a request's build is to make, as rpm reads its spec among the platform's own packages.

    :param inputs: a folder with the spec and its sources
    :raises CacheError: the cache changed meanwhile
    :raises TakenNameError: a package would have the name of another one of the platform's
    :raises RdoError: rpm can't read the spec, or what the platform has could not be fetched
    """
    layers = planner.ensure(replace(plan, rpms=()), {})
    expected = read_spec(request, inputs, layers, scratch_folder(planner.paths), folder)
    require_free_names(request, expected, planner.packages, planner.platform.name)
    return expected


def accepted(raw: RawBuild, expected: Expectation, planner: RootPlanner, folder: Path) -> RawBuild:
    """Return a build with what was expected of it, or as a failed one without packages if it isn't that."""
    rpms = {path.name: path for path in raw.rpms}
    scratch = scratch_folder(planner.paths)
    inside = metadata_problems(expected, rpms, planner.root.layers, scratch, folder / "metadata")
    # first what is inside: a wrong version shows in what a package provides as well
    if problems := [*inside, *problems_of(expected, rpms)]:
        return RawBuild((), raw.log, raw.seconds, refusal(problems), _METADATA if inside else REFUSED)
    return replace(raw, expected=expected)


def refusal(problems: Sequence[str]) -> str:
    """Return why a build is refused; the first line says it all in short."""
    more = f" ({len(problems)} problems)" if len(problems) > 1 else ""
    rest = [f"  {problem}" for problem in problems[1:_MOST]]
    rest += [f"  and {len(problems) - _MOST} more"] if len(problems) > _MOST else []
    return "\n".join([f"What was built isn't what was to be built{more}: {problems[0]}", *rest])

"""Lists and runs system flows.

A flow is a module of ``tests/system``, or those of its tests that a mark selects. The module names the rooms
and the data that the flow stands on, in ``FLOWS``. A flow whose inputs are the same as when it last passed on
this machine need not run again; otherwise it is *stale*. Stale flows run in order of risk, as far as the time
allows.

    python -m tests.flows list                     # each flow: fresh or stale, and why
    python -m tests.flows run                      # all of them
    python -m tests.flows run --stale              # only those that are stale
    python -m tests.flows run --stale --minutes 40 # the riskiest of them that fit into 40 minutes

What passed is kept in the machine's cache, by the hash of the flow's inputs. It isn't in git, where each
merge would clash.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable, Sequence

from tests.flows.flow import Flow
from tests.flows.inputs import inputs_of
from tests.flows.records import Records
from tests.flows.runner import run_flows, run_with_pytest
from tests.flows.standing import Standing, in_order, standing_of
from tests.installation import CHECKOUT, shared_cache


def all_flows() -> list[Flow]:
    """Return the flows of all modules of ``tests/system``."""
    modules = sorted(path.stem for path in (CHECKOUT / "tests/system").glob("test_*.py"))
    flows = [flow for name in modules for flow in importlib.import_module(f"tests.system.{name}").FLOWS]
    return list(flows)


def _choose(flows: Sequence[Flow], names: Sequence[str]) -> list[Flow]:
    known = {flow.name: flow for flow in flows}
    if unknown := [name for name in names if name not in known]:
        print(f"There is no flow named {', '.join(unknown)}. Known: {', '.join(known)}.", file=sys.stderr)
        sys.exit(2)
    return [known[name] for name in names] if names else list(flows)


def _show(standings: Iterable[Standing]) -> None:
    for one in standings:
        state = "fresh" if one.fresh else "stale"
        print(f"{one.flow.name:<22} {state}  {one.minutes:5.1f} min  {one.reason}")


def main(arguments: Sequence[str] | None = None) -> int:
    """List or run flows; return the exit status: 0, or 1 where one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show each flow and whether it is stale")
    run = commands.add_parser("run", help="run flows")
    run.add_argument("--stale", action="store_true", help="leave out what is fresh")
    run.add_argument("--minutes", type=float, help="how long all of it may take; the rest stays stale")
    run.add_argument("names", nargs="*", help="flows; all by default")
    options = parser.parse_args(arguments)
    records = Records(shared_cache() / "flows")
    flows = _choose(all_flows(), getattr(options, "names", []))
    standings = in_order(standing_of(flow, records, inputs_of(flow)) for flow in flows)
    if options.command == "list":
        _show(standings)
        return 0
    stale = [one for one in standings if one.flow.always or not one.fresh or not options.stale]
    outcome = run_flows(stale, records, run_with_pytest, minutes=options.minutes)
    skipped = [one.flow.name for one in standings if one not in stale]
    for title, names in (
        ("Passed", outcome.passed),
        ("Fresh, not run", skipped),
        ("LEFT STALE, the time ran out (run them with: ./test --system --stale)", outcome.left_out),
        ("FAILED", outcome.failed),
    ):
        if names:
            print(f"{title}: {', '.join(names)}", flush=True)
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())

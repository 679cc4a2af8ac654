"""``rdo log``: the last log of a package's build, where it lies, and why it failed."""

from __future__ import annotations

from typing import Annotated

import typer

from rdo.cli.output import print

app = typer.Typer()


@app.command()
def log(
    package: Annotated[str, typer.Argument(help="A package or project: openstack-keystone, keystone.")],
    path: Annotated[bool, typer.Option("--path", help="Print only the path of the log.")] = False,
    reason: Annotated[
        bool, typer.Option("--reason", help="Print only why the build failed, with a hint.")
    ] = False,
) -> None:
    """Show the log of a package's last build.

    A terminal gets control characters as text, and lines are cut after 1000 characters. A file or a pipe gets
    the log unchanged.

    Examples: rdo log keystone; rdo log python-oslo-config --reason; less "$(rdo log nova --path)"
    """
    import shutil
    import sys

    from rdo.building.finding import last_build, readable_log
    from rdo.building.state import State
    from rdo.building.store import open_store
    from rdo.cli.installation import open_installation
    from rdo.common.errors import RdoError
    from rdo.common.text import visible

    installation = open_installation()
    paths = installation.paths
    build = last_build(State.open(installation), package)
    if reason:
        lines = [line for line in (build.reason, build.hint) if line]
        print(visible("\n".join(lines or [f"{build.package}: {build.status}"])))
        return
    if build.status == "blocked":
        first = build.blocked_by[0] if build.blocked_by else "?"
        raise RdoError(f"{build.package} was not tried: {build.reason}.", hint=f"See: rdo log {first}")
    file = readable_log(build, paths, open_store(installation))
    if file is None:
        raise RdoError(f"There is no log of {build.package}: {build.reason or build.status}", hint=build.hint)
    if path:
        print(file)
        return
    if sys.stdout.isatty():
        with file.open(errors="replace") as text:
            for line in text:
                print(visible(line.rstrip("\n")))
    else:
        with file.open("rb") as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer)

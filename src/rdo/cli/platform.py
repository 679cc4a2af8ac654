"""``rdo platform``: what is under our packages, and finding out what it provides."""

from __future__ import annotations

import difflib
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from rdo.cli.output import print

app = typer.Typer(no_args_is_help=True, help="Platforms: what the base system provides.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """List the platforms."""
    from rdo.cli.installation import open_installation
    from rdo.distribution.load import Distribution

    distribution = Distribution.load(open_installation().paths.distribution)
    found = [distribution.platform(name) for name in distribution.platforms()]
    if as_json:
        fields = {"name", "title", "architecture", "python", "dist", "tested", "note"}
        print(json.dumps([platform.model_dump(mode="json", include=fields) for platform in found], indent=1))
        return
    for platform in found:
        tested = "tested" if platform.tested else "not run yet"
        print(f"{platform.name:10} Python {platform.python:6} {tested:12} {platform.title}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The platform: debian13")],
    series: Annotated[str | None, typer.Option(help="Only what this release pins, with its pins.")] = None,
    as_json: _Json = False,
) -> None:
    """Show a platform and the Python distributions that its own packages offer.

    Example: rdo platform show el10 --series 2026.1
    """
    from rdo.cli.installation import open_installation
    from rdo.distribution.load import Distribution

    distribution = Distribution.load(open_installation().paths.distribution)
    platform = distribution.platform(name)
    pins = None if series is None else distribution.release(series)
    environment = platform.environment
    rows: list[tuple[str, str, str, str]] = []
    for dist, offered in sorted(platform.provides.items()):
        pin = None if pins is None else pins.pin(dist, environment)
        if pins is None or pin is not None:
            rows.append((dist, offered.version, offered.package, pin.version if pin else ""))
    if as_json:
        value = platform.model_dump(mode="json", exclude={"provides"})
        value["provides"] = {
            dist: {"version": version, "package": package} | ({"pin": pinned} if pinned else {})
            for dist, version, package, pinned in rows
        }
        print(json.dumps(value, indent=1))
        return
    tested = "built and run for real" if platform.tested else "not run yet"
    print(
        f"{platform.title}: {platform.architecture}, Python {platform.python_version},"
        f" %dist {platform.dist}; {tested}"
    )
    if platform.note:
        print(platform.note)
    for dist, version, package, pinned in rows:
        print(f"  {dist:40} {version:16} {package}" + (f"  (pin {pinned})" if pinned else ""))
    print(f"{len(rows)} Python distributions, {len(platform.native)} other names")


@app.command("import")
def import_(
    name: Annotated[str, typer.Argument(help="The platform: debian13")],
    repository: Annotated[
        list[str] | None,
        typer.Option(help="A platform made by dnf: folder or address of an RPM repository; again for more."),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(help="A platform made by debootstrap: the archive, else the usual one."),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Write nothing; print the difference.")] = False,
) -> None:
    """Find out which Python distributions a platform's own packages offer, and write them down.

    Examples: rdo platform import debian13;
    rdo platform import el10 --repository /mnt/BaseOS --repository /mnt/AppStream
    """
    from rdo.cli.installation import open_installation
    from rdo.common.files import write_atomically
    from rdo.distribution.load import Distribution
    from rdo.distribution.models import DebootstrapRoot
    from rdo.distribution.platform_import import import_platform
    from rdo.distribution.platformfile import render_provides

    installation = open_installation()
    paths = installation.paths
    distribution = Distribution.load(paths.distribution)
    platform = distribution.platform(name)
    if isinstance(platform.root, DebootstrapRoot) and repository:
        raise typer.BadParameter(f"{name} is made by debootstrap; it has no RPM repositories")
    imported = import_platform(
        platform,
        paths.cache,
        repositories=repository or (),
        mirror=mirror or installation.settings.debian_mirror,
        el_mirror=installation.settings.el_mirror,
        el_key=installation.settings.el_key,
    )
    for note in imported.notes:
        print(note, file=sys.stderr)
    target = Path(distribution.path) / "platforms" / f"{name}.provides"
    before = target.read_text() if target.exists() else ""
    header = f"Python distributions that {platform.title} offers: dist version package.\n{imported.origin}"
    after = render_provides(imported.provides, header)
    difference = list(
        difflib.unified_diff(before.splitlines(True), after.splitlines(True), "before", "after", n=0)
    )
    if dry_run or before:
        print("".join(difference), end="")
    if difference and not dry_run:
        write_atomically(target, after)
    done = "nothing changed" if not difference else "not written" if dry_run else f"wrote {target}"
    print(f"{name}: {len(imported.provides)} Python distributions; {done}", file=sys.stderr)

"""``rdo package``: what is in a package, and where each part of it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.building.package_view import ShownPackage
    from rdo.packaging.provenance import BinaryView, Part

app = typer.Typer(help="What is in a package, and where each part of it comes from.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """What is in a package, and where each part of it comes from."""


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="PACKAGE",
            help="A project (nova), source (openstack-nova) or binary package (openstack-nova-compute).",
        ),
    ],
    release: Annotated[str | None, typer.Option(help="The series; the newest maintained by default.")] = None,
    platform: Annotated[str | None, typer.Option(help="The platform; this machine's by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the binary packages of a project, their files and requirements, and where each comes from.

    What was built is shown as it is; what was not, as its spec has it: RPM's generators add to that. A binary
    package that is named is shown alone, with every file of its modules.

    Examples: rdo package show nova
    · rdo package show openstack-keystone-doc --release 2025.2
    · rdo package show python3-oslo-config --json
    """
    from rdo.building.package_view import show_package
    from rdo.building.state import State
    from rdo.building.store import open_store
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json, progress

    installation = open_installation()
    distribution = open_distribution(installation)
    chosen = choose_release(release, installation, distribution)
    under = choose_platform(platform, chosen, distribution)
    with progress() as shown:
        found = show_package(
            distribution,
            chosen,
            under,
            name,
            installation,
            shown,
            State.open(installation),
            open_store(installation),
        )
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: ShownPackage) -> None:
    if found.built is None:
        state = "not built at this version: as its spec has it"
    else:
        state = f"as it was built on {found.built:%Y-%m-%d %H:%M:%S} UTC"
    print(f"{found.package} {found.version}-{found.release} ({found.licence}), {state}")
    alone = [package for package in found.packages if package.name == found.asked]
    if not alone or found.asked == found.package:
        _parts("Is built with", found.build_requires)
        if found.left_out:
            _parts("Upstream requires, and we leave out", found.left_out)
        alone = []
    for package in alone or found.packages:
        _show_binary(package, whole=bool(alone))


def _show_binary(package: BinaryView, *, whole: bool) -> None:
    print(f"\n{package.name}: {package.summary}")
    if package.requires:
        _parts("  Requires", package.requires)
    files = package.files if whole else _without_modules(package.files)
    if files:
        _parts("  Files", files)
    hidden = len(package.files) - len(files)
    if hidden:
        print(f"    and {hidden} more of its modules: rdo package show {package.name}")


def _without_modules(files: Iterable[Part]) -> list[Part]:
    """Leave out what lies inside the folders of Python modules."""
    return [
        part
        for part in files
        if part.text.startswith("%")
        or part.text.rpartition("-packages/")[2].count("/") < 1
        or "-packages/" not in part.text
    ]


def _parts(title: str, parts: Iterable[Part]) -> None:
    indent = title[: len(title) - len(title.lstrip())]
    print(f"{title}:")
    for part in parts:
        detail = f"  ({part.detail})" if part.detail else ""
        print(f"{indent}  {part.origin:<12} {part.text}{detail}")

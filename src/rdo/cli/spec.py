"""``rdo spec``: the generated spec of a project, and what has changed in it since it was last generated."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.packaging.spec_model import GeneratedSpec
    from rdo.packaging.spec_store import SpecDifference

app = typer.Typer()


@app.command()
def spec(
    name: Annotated[
        str,
        typer.Argument(
            help="A project (keystone), index name (oslo.config) or package (python-oslo-config)."
        ),
    ],
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what differs from the last one, instead of the spec.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Write the spec and all its files to this folder, for rpmbuild or mock."),
    ] = None,
    release: Annotated[str | None, typer.Option(help="The series; the newest maintained by default.")] = None,
    platform: Annotated[str | None, typer.Option(help="The platform; this machine's by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the generated spec of a project.

    Without --diff it is kept as the last one, as a build does too.

    Examples: rdo spec keystone
    · rdo spec keystone --diff
    · rdo spec oslo.config --platform el10 --output /tmp/oslo
    """
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution
    from rdo.cli.installation import open_installation
    from rdo.cli.show import progress
    from rdo.common.errors import InputError
    from rdo.packaging.asked_names import index_name
    from rdo.packaging.closure import resolve_closure
    from rdo.packaging.preparing import generate_specs
    from rdo.packaging.spec_store import SpecStore, difference, write_sources

    installation = open_installation()
    paths = installation.paths
    distribution = open_distribution(installation)
    chosen = choose_release(release, installation, distribution)
    under = choose_platform(platform, chosen, distribution)
    dist = index_name(name, chosen, under)
    with progress() as shown:
        resolution = resolve_closure(distribution, chosen, under, [name], installation, shown)
        node = resolution.nodes[dist]
        if node.origin == "platform":
            raise InputError(
                f"{under.name} provides {dist} {node.version} itself, as {node.package}.",
                hint="What the platform provides has no spec of ours.",
            )
        made = generate_specs(distribution, chosen, under, resolution, installation, shown, only=[dist])[dist]
    store = SpecStore.of(paths.specs, under.name, chosen.series)
    last = store.last(made.package)
    if diff:
        _show_difference(made, difference(made.package, last or "", made.text), last is None, as_json)
    else:
        store.save(made)
        _show(made, as_json)
    if output is not None:
        for file in write_sources(made, output):
            print(f"wrote {file}", file=sys.stderr)


def _show(made: GeneratedSpec, as_json: bool) -> None:
    from rdo.cli.show import print_json

    if not as_json:
        print(made.text, end="")
        return
    print_json(
        {
            "package": made.package,
            "epoch": made.epoch,
            "version": made.version,
            "release": made.release,
            "subpackages": made.subpackages,
            "build_requires": made.build_requires,
            "check_requires": made.check_requires,
            "sources": [{"filename": item.filename, "sha256": item.sha256} for item in made.sources],
            "notes": made.notes,
            "text": made.text,
        }
    )


def _show_difference(made: GeneratedSpec, found: SpecDifference, first: bool, as_json: bool) -> None:
    from rdo.cli.show import print_json

    if as_json:
        print_json(
            {
                "package": made.package,
                "first": first,
                "diff": found.text,
                "requirements": [
                    {"kind": item.kind, "name": item.name, "before": item.before, "after": item.after}
                    for item in found.requirements
                ],
            }
        )
        return
    if first:
        print(f"{made.package} was not generated before; everything is new.", file=sys.stderr)
    elif not found.text:
        print(f"{made.package} is what it was.", file=sys.stderr)
    print(found.text, end="")
    if found.requirements and not first:
        print("\nRequirements:")
        for item in found.requirements:
            print(f"  {item}")

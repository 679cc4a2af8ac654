"""``rdo resolve``: what a project needs, where each part comes from, in which order it is built, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.packaging.resolution_model import Node, Reason, Resolution

app = typer.Typer()

_VERBS = {"runtime": "requires", "extra": "requires (for an extra)", "build": "is built with"}


@app.command()
def resolve(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Projects (keystone), index names (oslo.config) or packages (openstack-keystone)."
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that the release ships, instead of names.")
    ] = False,
    platform: Annotated[str | None, typer.Option(help="The platform; this machine's by default.")] = None,
    release: Annotated[str | None, typer.Option(help="The series; the newest maintained by default.")] = None,
    why: Annotated[str | None, typer.Option(help="Say only why this name is there.")] = None,
    order: Annotated[bool, typer.Option("--order", help="Only the order of builds, layer by layer.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Work out what projects need: what the platform provides, what must be built, in which order, and why.

    Examples: rdo resolve keystone python-openstackclient
    · rdo resolve keystone --platform el10 --order
    · rdo resolve keystone --why bcrypt
    · rdo resolve --all --release 2025.2
    """
    from rdo.cli.defaults import choose_platform, choose_projects, choose_release, open_distribution
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json, progress
    from rdo.packaging.asked_names import index_name
    from rdo.packaging.closure import resolve_closure

    installation = open_installation()
    distribution = open_distribution(installation)
    chosen = choose_release(release, installation, distribution)
    under = choose_platform(platform, chosen, distribution)
    asked = choose_projects(names, everything, chosen)
    with progress() as shown:
        resolution = resolve_closure(distribution, chosen, under, asked, installation, shown)
    if why is not None:
        _show_why(resolution, index_name(why, chosen, under), as_json)
    elif as_json:
        print_json(_as_data(resolution))
    elif order:
        _show_order(resolution)
    else:
        _show(resolution, "Everything" if everything else ", ".join(resolution.asked))


def _as_data(resolution: Resolution) -> dict[str, Any]:
    from rdo.packaging.resolution_order import build_layers

    data = resolution.model_dump(mode="json", exclude={"metadata"})
    return data | {"layers": [[list(group) for group in layer] for layer in build_layers(resolution)]}


def _show(resolution: Resolution, asked: str) -> None:
    from rdo.cli.show import OUT, table
    from rdo.packaging.resolution_order import build_layers

    title = f"{asked} of {resolution.series} on {resolution.platform}"
    built = table(
        f"{title}: to be built, in this order", "layer", "package", "version", "platform has", "why"
    )
    for number, layer in enumerate(build_layers(resolution), 1):
        for group in layer:
            for dist in group:
                node = resolution.nodes[dist]
                cycle = " (cycle)" if len(group) > 1 else ""
                built.add_row(
                    f"{number}{cycle}",
                    node.package,
                    node.version,
                    _replaced(node),
                    _because(node, resolution),
                )
    OUT.print(built)
    provided = table("\nProvided by the platform", "name", "version", "package", "why")
    for node in resolution.provided:
        provided.add_row(node.dist, node.version, node.package, _because(node, resolution))
    OUT.print(provided)
    OUT.print(f"\n{len(resolution.built)} to be built, {len(resolution.provided)} from the platform")


def _replaced(node: Node) -> str:
    return "" if node.replaces is None else node.replaces


def _because(node: Node, resolution: Resolution) -> str:
    """Return why a node is there, and why the platform's own won't do, in one line."""
    from rdo.packaging.resolution_order import shortest_chain

    chain = shortest_chain(resolution, node.dist)
    way = "asked for" if len(chain) == 1 else " → ".join(reason.by for reason in chain[1:])
    if chain[-1].kind == "build":
        way += " (build)"
    rejected = node.replaces_because
    return f"{way}; {rejected}" if rejected and rejected != "is OpenStack's own" else way


def _show_order(resolution: Resolution) -> None:
    from rdo.packaging.resolution_order import build_layers

    for number, layer in enumerate(build_layers(resolution), 1):
        packages = [" + ".join(resolution.nodes[dist].package for dist in group) for group in layer]
        print(
            f"{number:3} {' '.join(packages)}"
            if all(len(g) == 1 for g in layer)
            else f"{number:3} {packages}"
        )


def _show_why(resolution: Resolution, dist: str, as_json: bool) -> None:
    from rdo.cli.show import print_json
    from rdo.common.errors import UnknownNameError
    from rdo.packaging.resolution_order import shortest_chain

    if dist not in resolution.nodes:
        raise UnknownNameError("name in this closure", dist, resolution.nodes)
    node, chain = resolution.nodes[dist], shortest_chain(resolution, dist)
    if as_json:
        print_json({"node": node, "chain": chain})
        return
    origin = "built by us as" if node.origin == "build" else f"{resolution.platform}'s own package"
    print(f"{dist} {node.version}: {origin} {node.package}")
    if node.replaces is not None:
        print(f"  {resolution.platform} has {node.replaces}; {node.replaces_because}")
    for reason in chain:
        print(f"  {_sentence(reason)}")
    others = [reason for reason in node.reasons if reason not in chain]
    if others:
        print("Required too by:")
        for reason in others:
            print(f"  {_sentence(reason)}")


def _sentence(reason: Reason) -> str:
    if reason.kind == "asked":
        return f"you asked for {reason.requirement}"
    return f"{reason.by} {_VERBS[reason.kind]} {reason.requirement}"

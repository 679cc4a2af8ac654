"""Reading a resolution: in which order to build, and why something is there."""

from __future__ import annotations

from collections import deque

from rdo.packaging.resolution_model import Reason, Resolution


def build_layers(resolution: Resolution) -> list[list[tuple[str, ...]]]:
    """Return what is built, in layers: each needs nothing but earlier layers, to be built and imported.

    The entries of a layer are canonical index names; those that need each other are one entry.
    """
    import networkx

    graph: networkx.DiGraph[str] = networkx.DiGraph()
    built = {node.dist for node in resolution.built}
    graph.add_nodes_from(built)
    for node in resolution.built:
        needed = {*node.build, *node.imports} & built
        graph.add_edges_from((other, node.dist) for other in needed - {node.dist})
    condensed = networkx.condensation(graph)
    return [
        sorted(tuple(sorted(condensed.nodes[group]["members"])) for group in layer)
        for layer in networkx.topological_generations(condensed)
    ]


def shortest_chain(resolution: Resolution, dist: str) -> list[Reason]:
    """Return the shortest chain of requirements from what was asked for to a name in the closure.

    The first reason is the user's, the last one states the name itself. Where several are as short, runtime
    requirements come before build requirements.
    """
    rank = {"asked": 0, "runtime": 1, "extra": 2, "build": 3}
    chains: dict[str, list[Reason]] = {dist: []}
    queue = deque([dist])
    while queue:
        current = queue.popleft()
        for reason in sorted(resolution.nodes[current].reasons, key=lambda r: (rank[r.kind], r.by)):
            if reason.by == "":
                return [reason, *chains[current]]
            if reason.by not in chains:
                chains[reason.by] = [reason, *chains[current]]
                queue.append(reason.by)
    raise AssertionError(f"{dist} hangs in the air")

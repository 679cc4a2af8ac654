"""The answer to: what does this need, where does each part come from, and why is it there."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rdo.upstream.models import Metadata


class Model(BaseModel):
    """Base of the resolution's values."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Reason(Model):
    """One requirement that brings a node in: who states it, and in which words."""

    by: str = Field(description="canonical index name, or '' for what the user asked for")
    requirement: str
    kind: Literal["asked", "runtime", "build", "extra"]


class Node(Model):
    """One index name in the closure.

    ``origin`` is ``build`` where we build it and ``platform`` where the platform's own package fits.
    ``runtime`` and ``build`` are the canonical index names of its direct requirements (runtime: with those
    of the extras that we package or that something asks for, as far as the closure has them).
    """

    dist: str
    version: str
    origin: Literal["build", "platform"]
    package: str = Field(description="source RPM that we build, or the platform's package")
    reasons: tuple[Reason, ...]
    runtime: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    imports: tuple[str, ...] = Field(
        default=(),
        description="what has to be installed with it to import it: direct runtime requirements, with those "
        "of extras that it asks for, without those of its own extras",
    )
    extras: tuple[str, ...] = Field(
        default=(), description="its extras that something in the closure asks for"
    )
    replaces: str | None = Field(default=None, description="the platform's version, where it does not fit")
    replaces_because: str | None = None


class Resolution(Model):
    """The closure of what was asked for, on one platform, in one release."""

    series: str
    platform: str
    asked: tuple[str, ...]
    nodes: dict[str, Node]
    metadata: dict[str, Metadata] = Field(description="of every node that is built")

    @property
    def built(self) -> list[Node]:
        """The nodes that we build, by name."""
        return sorted((n for n in self.nodes.values() if n.origin == "build"), key=lambda n: n.dist)

    @property
    def provided(self) -> list[Node]:
        """The nodes that the platform provides, by name."""
        return sorted((n for n in self.nodes.values() if n.origin == "platform"), key=lambda n: n.dist)

"""A node's plan: typed steps in order, each of which knows whether it is needed.

A plan is data. It says what shall hold on one host, not how to look; :mod:`rdo.cloud.operations` turns each
step into one operation over SSH, :mod:`rdo.cloud.apply` runs them. Secrets are :class:`pydantic.SecretStr`,
so that printing a plan shows none.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Part(BaseModel):
    """Base of plans and steps: unknown keys are mistakes, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(Part):
    """One thing that shall hold. ``id`` is unique in its plan, ``title`` is what a person reads."""

    id: str
    title: str


class Packages(Step):
    """RPM packages that shall be installed; names or provides, as ``dnf install`` takes them."""

    kind: Literal["packages"] = "packages"
    names: tuple[str, ...] = Field(min_length=1)


class File(Step):
    """A file with this content, owner and mode; the folder above it is made where it is missing."""

    kind: Literal["file"] = "file"
    path: str
    content: SecretStr
    owner: str = "root"
    group: str = "root"
    mode: str = "644"


class Link(Step):
    """A symbolic link."""

    kind: Literal["link"] = "link"
    path: str
    target: str


class Script(Step):
    """A bash script, run as root unless ``unless`` already succeeds.

    Both reach the host over standard input and never stand in a process list; they may hold secrets.
    ``retries`` asks ``unless`` again after the script, once a second, until it succeeds.
    """

    kind: Literal["script"] = "script"
    script: SecretStr
    unless: SecretStr
    retries: int = 0


class Database(Step):
    """A MariaDB database and an account that has all rights on it and none elsewhere."""

    kind: Literal["database"] = "database"
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    user: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    password: SecretStr
    clients: tuple[str, ...] = Field(description="addresses the account may come from, MariaDB's notation")


class Service(Step):
    """A systemd unit that shall be enabled and running.

    It is restarted when one of the steps in ``restart_after`` changed something in this run, or when the unit
    started before a file of theirs was last written (a run that was interrupted in between).
    """

    kind: Literal["service"] = "service"
    unit: str
    restart_after: tuple[str, ...] = ()


AnyStep = Annotated[
    Packages | File | Link | Script | Database | Service,
    Field(discriminator="kind"),
]


class Plan(Part):
    """All steps of one host, in order."""

    host: str
    steps: tuple[AnyStep, ...]

    def model_post_init(self, context: object, /) -> None:
        """Refuse two steps of one id, and a restart after a step that comes later or nowhere."""
        seen: set[str] = set()
        for step in self.steps:
            if step.id in seen:
                raise ValueError(f"two steps are called {step.id!r}")
            if isinstance(step, Service):
                unknown = sorted(set(step.restart_after) - seen)
                if unknown:
                    raise ValueError(f"{step.id!r} restarts after {', '.join(unknown)}, none before it")
            seen.add(step.id)


class Target(Part):
    """How a host is reached: its name in an OpenSSH client configuration file."""

    host: str
    ssh_config: str | None = None
    user: str = "root"


class StepResult(Part):
    """What one step did."""

    id: str
    title: str
    changed: bool
    ok: bool
    seconds: float
    error: str | None = None


class ApplyReport(Part):
    """What a whole apply did. ``steps`` ends with the first that failed."""

    host: str
    steps: tuple[StepResult, ...]

    @property
    def ok(self) -> bool:
        """Whether every step of the plan holds now."""
        return all(step.ok for step in self.steps)

    @property
    def changed(self) -> list[str]:
        """The ids of the steps that changed something."""
        return [step.id for step in self.steps if step.changed]

"""A node's plan: typed steps in order, each of which knows whether it is needed.

A plan is data. It says what shall hold on one host, not how to look; :mod:`rdo.cloud.operations` turns each
step into a guard and a script for the host, :mod:`rdo.cloud.apply` runs them. Secrets are
:mod:`rdo.cloud.texts`' own pieces, so that what shows a plan hides them by their place.

Steps belong to stages. All hosts go through a stage side by side, and none begins the next before all have
done it: what a stage needs of another host is what an earlier stage put there.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rdo.cloud.shell import Shell
from rdo.cloud.texts import Text, join

#: The first line of whatever file a plan writes; INI files, httpd, nft and Python all take it for a comment.
WRITTEN = "# Written by `rdo cloud`; it is written anew when that runs again."


class Part(BaseModel):
    """Base of plans and steps: unknown keys are mistakes, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(IntEnum):
    """What is done together, in this order."""

    REPOSITORY = 1
    PACKAGES = 2
    FOUNDATION = 3
    """Certificates, databases, message broker, virtual switches: what OpenStack stands on."""
    CONFIGURATION = 4
    SCHEMA = 5
    """Database schemas, those of different services side by side."""
    IDENTITY = 6
    SERVICES = 7
    HYPERVISORS = 8
    OBJECTS = 9
    """What is made through the APIs."""

    @property
    def side_by_side(self) -> bool:
        """Whether steps of different groups run at the same time."""
        return self in (Stage.CONFIGURATION, Stage.SCHEMA, Stage.FOUNDATION, Stage.SERVICES)


class Step(Part):
    """One thing that shall hold.

    ``id`` is unique in its plan, ``title`` is what a person reads. Steps of one ``group`` run one after the
    other; groups may run side by side where their stage says so. ``about_hosts`` marks what a host is told of
    all the others: where one joins, these are the steps that the others need. After ``limit`` seconds the
    host ends what makes it hold, with all that it has started.
    """

    id: str
    title: str
    stage: Stage = Stage.FOUNDATION
    group: str = ""
    about_hosts: bool = False
    limit: int = Field(default=900, ge=1)


class Packages(Step):
    """RPM packages that shall be installed; names or provides, as ``dnf install`` takes them."""

    kind: Literal["packages"] = "packages"
    limit: int = Field(default=3600, ge=1)
    names: tuple[str, ...] = Field(min_length=1)


class File(Step):
    """A file with this content, owner and mode; the folder above it is made where it is missing."""

    kind: Literal["file"] = "file"
    path: str
    content: Text
    owner: str = "root"
    group_owner: str = "root"
    mode: str = "644"


class Config(Step):
    """A file of oslo.config's options, whole: section -> option -> value, as they are written there.

    ``project`` has the option schema that they are checked against; None where there is none.
    """

    kind: Literal["config"] = "config"
    path: str
    project: str | None
    options: Mapping[str, Mapping[str, Text]]
    owner: str = "root"
    group_owner: str
    mode: str = "640"

    def as_file(self) -> File:
        """Return the step that writes the file."""
        lines: list[str | Text] = [f"{WRITTEN} Other settings go to"]
        lines += ["# a file of another name in this folder, or to `options` in the cloud's file."]
        for section, options in self.options.items():
            lines += ["", f"[{section}]"]
            lines += [Text(f"{name} = ", value) if value else f"{name} =" for name, value in options.items()]
        return File(
            id=self.id,
            title=self.title,
            stage=self.stage,
            group=self.group,
            path=self.path,
            content=Text(join("\n", lines), "\n"),
            owner=self.owner,
            group_owner=self.group_owner,
            mode=self.mode,
        )


class Link(Step):
    """A symbolic link."""

    kind: Literal["link"] = "link"
    path: str
    target: str


class Script(Step):
    """A bash script, run as root unless ``unless`` already succeeds.

    Both reach the host over standard input and never stand in a process list; they may hold secrets.
    ``retries`` asks ``unless`` again after the script until it succeeds, for that many seconds at most.
    ``path`` is a file that it writes, for the services that are to start again after it. ``undo`` is a script
    that takes off again what it made, if that is there; what is in ``path`` goes with the file.
    """

    kind: Literal["script"] = "script"
    path: str | None = None
    script: Shell
    unless: Shell
    retries: int = 0
    undo: Shell | None = None


class Database(Step):
    """A MariaDB database and an account that has all rights on it and none elsewhere.

    With ``server`` the account has to come over TLS, to that address, checked against ``ca``; without, over
    the socket.
    """

    kind: Literal["database"] = "database"
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    user: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    password: Text
    clients: tuple[str, ...] = Field(description="addresses the account may come from, MariaDB's notation")
    server: str | None = None
    ca: str | None = None


class Service(Step):
    """A systemd unit that shall be enabled and running.

    It is restarted when one of the steps in ``restart_after`` changed something in this run, or when the unit
    started before a file of theirs was last written (a run that was interrupted in between).

    ``ready`` is a script that succeeds when the service answers; after a start it is asked until it does, for
    at most ``patience`` seconds (a busy machine needs a minute for all APIs). ``logs`` are shell patterns of
    the unit's own files, whose last lines are shown beside the journal's where it does not start.
    """

    kind: Literal["service"] = "service"
    unit: str
    restart_after: tuple[str, ...] = ()
    ready: Shell | None = None
    patience: int = 240
    logs: tuple[str, ...] = ()


class Objects(Step):
    """Objects of the cloud's APIs (users, endpoints, networks…), all made by one process on the host.

    ``wanted`` is the job of :mod:`rdo.cloud.remote.objects` as JSON. Its account is the administrator's of
    ``cloud`` in the host's clouds.yaml.
    """

    kind: Literal["objects"] = "objects"
    cloud: str
    wanted: Text


AnyStep = Annotated[
    Packages | File | Config | Link | Script | Database | Service | Objects,
    Field(discriminator="kind"),
]


class Plan(Part):
    """All steps of one host, in order: by stages, and within one as they stand here."""

    host: str
    steps: tuple[AnyStep, ...]

    def model_post_init(self, context: object, /) -> None:
        """Refuse two steps of one id, a stage after a later one, and a restart after what comes later."""
        seen: set[str] = set()
        last = min(Stage)
        for step in self.steps:
            if step.id in seen:
                raise ValueError(f"two steps are called {step.id!r}")
            if step.stage < last:
                raise ValueError(f"{step.id!r} of {step.stage.name} comes after a step of {last.name}")
            last = step.stage
            if isinstance(step, Service):
                unknown = sorted(set(step.restart_after) - seen)
                if unknown:
                    raise ValueError(f"{step.id!r} restarts after {', '.join(unknown)}, none before it")
            seen.add(step.id)

    def about_hosts(self) -> Plan:
        """Return the plan without what has nothing to do with the cloud's other hosts."""
        kept: list[AnyStep] = []
        for step in self.steps:
            if not step.about_hosts:
                continue
            if isinstance(step, Service):
                there = {one.id for one in kept}
                causes = tuple(name for name in step.restart_after if name in there)
                kept.append(step.model_copy(update={"restart_after": causes}))
            else:
                kept.append(step)
        return Plan(host=self.host, steps=tuple(kept))

    def of(self, stage: Stage) -> list[AnyStep]:
        """Return the steps of a stage."""
        return [step for step in self.steps if step.stage == stage]


class Target(Part):
    """How a host is reached: its name in an OpenSSH client configuration file, or not at all, being this one.

    What is done there is done as root, by ``sudo`` where ``user`` is another one.
    """

    host: str
    ssh_config: str | None = None
    user: str = "root"
    local: bool = False


class StepResult(Part):
    """What one step did on a host. ``difference`` is a planned file's, its secrets masked."""

    host: str
    id: str
    title: str
    changed: bool
    ok: bool
    seconds: float
    error: str | None = None
    difference: str | None = None


class ApplyReport(Part):
    """What a whole apply did. Where steps failed, those of later stages are not among ``steps``."""

    steps: tuple[StepResult, ...]

    @property
    def ok(self) -> bool:
        """Whether every step of the plan holds now."""
        return all(step.ok for step in self.steps)

    @property
    def changed(self) -> list[str]:
        """The ids of the steps that changed something."""
        return [step.id for step in self.steps if step.changed]

    @property
    def failed(self) -> list[StepResult]:
        """The steps that failed."""
        return [step for step in self.steps if not step.ok]

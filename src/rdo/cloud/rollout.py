"""Putting a cloud up: what is kept of it is made sure of first, then its plans are applied."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from rdo.cloud import ownership
from rdo.cloud.apply import Applier
from rdo.cloud.deployment import Deployment
from rdo.cloud.plan import ApplyReport, StepResult
from rdo.common.errors import RdoError
from rdo.common.files import make_folder


def put_up(
    deployment: Deployment,
    *,
    taking_over: bool = False,
    report: Callable[[StepResult], None] | None = None,
    applier: Applier | None = None,
) -> ApplyReport:
    """Apply a deployment's plans; the log of the run is kept beside its passwords.

    :param taking_over: the hosts may have a cloud with other passwords and another authority
    :param applier: a process for it that was started before; it is ended
    :raises OwnershipError: secrets would be made anew for a cloud that is there; nothing was changed
    :raises RdoError: a step failed; the message names hosts and steps and has the steps' last words
    """
    with applier or Applier() as process:
        # even where no other check was wanted: data that are there could not be read any more
        if deployment.is_fresh and not taking_over:
            ownership.check(deployment)
        deployment.keep()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        log = make_folder(deployment.folder / "logs", private=True) / f"{stamp}.log"
        made = process.apply(
            deployment.plans,
            deployment.targets,
            secrets=deployment.credentials.values(),
            report=report,
            log=log,
        )
    if not made.ok:
        words = "\n".join(
            f"On {failed.host}, the step {failed.title!r} failed:\n{(failed.error or '').strip()}"
            for failed in made.failed
        )
        raise RdoError(
            words,
            hint=f"The whole log is {log}. Run it again when the cause is mended; it goes on from there.",
        )
    return made

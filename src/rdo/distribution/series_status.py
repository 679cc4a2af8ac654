"""What upstream says of its series: phase, dates, keys (openstack/releases, ``data/series_status.yaml``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rdo.common.errors import DataError, Problem, UnknownNameError
from rdo.distribution.yamlfile import read_yaml


@dataclass(frozen=True)
class Status:
    """One series in ``series_status.yaml``; ``opened`` is the day when the one before it came out."""

    series: str
    codename: str
    phase: str
    opened: date
    released: date
    slurp: bool
    signing_keys: tuple[str, ...]


def read_status(path: Path, series: str) -> Status:
    """Read what is known of one series.

    :param path: ``series_status.yaml``, or a checkout of openstack/releases
    :raises UnknownNameError: the file has no such series
    :raises DataError: the file has mistakes
    """
    if path.is_dir():
        path = path / "data" / "series_status.yaml"
    file = read_yaml(path, as_text=True)
    if file.problems or not isinstance(file.value, list):
        raise DataError(file.problems or [Problem(path, 1, "a list of series is expected")])
    entries = {
        str(entry.get("release-id", entry.get("name"))): (number, entry)
        for number, entry in enumerate(file.value)
        if isinstance(entry, dict)
    }
    if series not in entries:
        raise UnknownNameError("series", series, entries)
    number, entry = entries[series]
    problems = [
        file.problem((number, key), f"{series}: {key!r} is missing")
        for key in ("name", "status", "initial-release")
        if not isinstance(entry.get(key), str)
    ]
    released = date.min
    try:
        released = date.fromisoformat(str(entry.get("initial-release")))
    except ValueError:
        problems.append(file.problem((number, "initial-release"), f"{series}: 'initial-release' is no date"))
    days = [str(other.get("initial-release")) for _, other in entries.values()]
    earlier = [day for day in days if re.fullmatch(r"\d{4}-\d\d-\d\d", day) and day < released.isoformat()]
    signing = entry.get("signing-key") or []
    keys = signing if isinstance(signing, list) else [signing]
    if not all(isinstance(key, dict) and isinstance(key.get("key"), str) for key in keys):
        problems.append(file.problem((number, "signing-key"), f"{series}: a signing key needs 'key'"))
    if problems:
        raise DataError(problems)
    return Status(
        series=series,
        codename=entry["name"],
        phase=entry["status"],
        opened=date.fromisoformat(max(earlier)) if earlier else date.min,
        released=released,
        slurp=str(entry.get("slurp")).lower() in {"yes", "true", "on"},
        signing_keys=tuple(key["key"].lower().removeprefix("0x") for key in keys),
    )

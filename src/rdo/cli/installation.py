"""The installation that a command works with: the settings are read here, once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from rdo.cli.settings_sources import (
    Source,
    defaults,
    environment,
    pip,
    settings_file,
    settings_files,
)
from rdo.common.errors import InputError
from rdo.common.installation import Installation
from rdo.common.settings import Settings


@dataclass(frozen=True)
class ReadSettings:
    """Settings, and where each that is not None is from: a variable, ``file:line``, or ``default``."""

    settings: Settings
    origins: Mapping[str, str]


def read_settings(environ: Mapping[str, str]) -> ReadSettings:
    """Read the settings: the environment wins over the settings files, and these over pip's configuration.

    :raises InputError: all mistakes, each with its place; or the distribution's data can't be found
    """
    files = [settings_file(file) for file in settings_files(environ)]
    sources = [environment(environ), *files, pip(environ), defaults(environ)]
    merged = _merged(sources)
    problems = [problem for source in sources for problem in source.problems]
    if "distribution" not in merged.values and not problems:
        merged.put("distribution", str(_find_distribution(environ)), "default")
    try:
        settings = Settings.model_validate(merged.values)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            name = str(one["loc"][0])
            if name in merged.origins:
                problems.append(f"{merged.origins[name]}: {name}: {one['msg'].removeprefix('Value error, ')}")
        settings = None
    if problems or settings is None:
        count = f"{len(problems)} mistake{'s' if len(problems) != 1 else ''}"
        raise InputError(f"{count} in the settings:\n" + "\n".join(f"  {problem}" for problem in problems))
    return ReadSettings(settings, merged.origins)


def open_installation(environ: Mapping[str, str] | None = None) -> Installation:
    """Return the installation that the settings of this machine and environment describe.

    :raises InputError: see :func:`read_settings`
    """
    settings = read_settings(os.environ if environ is None else environ).settings
    if environ is None:
        # Programs that we start and libraries for HTTP know proxies from variables alone.
        for name, value in settings.proxies.items():
            os.environ.setdefault(name, value)
    return Installation(settings)


def _merged(sources: list[Source]) -> Source:
    merged = Source()
    for source in sources:
        for name, value in source.values.items():
            if name not in merged.values:
                merged.put(name, value, source.origins[name])
    return merged


def _find_distribution(environ: Mapping[str, str]) -> Path:
    checkout = Path(__file__).resolve().parents[3] / "distribution"
    for candidate in (Path.cwd() / "distribution", checkout):
        if (candidate / "releases").is_dir():
            if candidate.resolve() != checkout:  # the code that runs comes from there as well
                _refuse_strangers(candidate, environ)
            return candidate
    raise InputError(
        "The distribution's data is not here.",
        hint="Run from a checkout, or set RDO_DISTRIBUTION to its 'distribution' folder.",
    )


def _refuse_strangers(folder: Path, environ: Mapping[str, str]) -> None:
    """Take data from the current folder only if it is ours: root may be standing in anybody's.

    :raises InputError: another user could have put it there
    """
    sudo = environ.get("SUDO_UID", "")
    ours = {0, os.geteuid()} | ({int(sudo)} if sudo.isdigit() else set())
    if folder.stat().st_uid not in ours:
        raise InputError(
            f"The distribution's data in {folder} belongs to another user.",
            hint=f"If it is the right one: RDO_DISTRIBUTION={folder}",
        )

"""Options that a plan writes, checked against the option schemas in the packages that are being deployed.

Packages have them as ``/usr/share/<project>/*-schema.yaml``, written by oslo-config-generator from the
service's own code. What was read of one is kept by its package's hash.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import yaml

from rdo.building.roots import ensure_tools
from rdo.building.rpm_layers import RpmLayers
from rdo.building.rpminfo import read_rpm
from rdo.cloud import repositorykey
from rdo.cloud.plan import Config, Plan
from rdo.cloud.topology import Cloud
from rdo.common.errors import DataError, Problem, RdoError
from rdo.common.files import write_atomically
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.common.trees import read_within
from rdo.distribution.models import Platform
from rdo.distribution.rpm_repositories import fetch_package, packages_with
from rdo.distribution.yamlfile import read_yaml
from rdo.repository.closure import published_infos
from rdo.repository.publish import published_rpms, show

_FORMAT = 1
_SCHEMA = re.compile(r"/usr/share/[^/]+/[^/]*-schema\.yaml")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TRUE_FALSE = ("true", "false", "1", "0", "yes", "no", "on", "off")
# keystoneauth registers a plugin's options when `auth_type` names it; generators don't.
_PASSWORD_PLUGIN = (
    *("auth_url", "username", "user_id", "password", "user_domain_name", "user_domain_id"),
    *("project_name", "project_id", "project_domain_name", "project_domain_id", "system_scope", "trust_id"),
    *("default_domain_id", "default_domain_name", "domain_id", "domain_name"),
)
#: project -> section and option that name sections of its own making, and the section whose options these may
#: have; None where :data:`_OF_NAMED` says it
_NAMING: Mapping[str, tuple[str, str, str | None]] = {
    "cinder": ("DEFAULT", "enabled_backends", "backend_defaults"),
    "glance": ("DEFAULT", "enabled_backends", "glance_store"),
    "keystone": ("auth", "methods", None),
}
#: project -> sections that it registers itself, and does not tell its generator of -> like which one, if any
_UNTOLD: Mapping[str, Mapping[str, str]] = {
    # glance_store's stores of its own (multi_backend.py)
    "glance": {"os_glance_staging_store": "glance_store", "os_glance_tasks_store": "glance_store"},
    # the plugin's options (service_auth.py)
    "cinder": {"service_user": ""},
}


@dataclass(frozen=True)
class Option:
    """One option: what its values may be; ``gone`` is said of it where it is on its way out."""

    type: str
    choices: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    gone: str | None = None


#: project -> how sections begin that it makes for kinds of devices (nova/conf/devices.py)
_DEVICES: Mapping[str, tuple[str, ...]] = {"nova": ("mdev_", "vgpu_")}
#: project -> what may be in such a section, or in one that is called like one of its protocols
_OF_NAMED: Mapping[str, Mapping[str, Option]] = {
    "nova": {
        "device_addresses": Option("list value"),
        "mdev_class": Option("string value"),
        "max_instances": Option("integer value", min=1),
    },
    "keystone": {"remote_id_attribute": Option("string value")},
}


#: section -> option, with underscores -> what is known of it
Schema = Mapping[str, Mapping[str, Option]]


@dataclass(frozen=True)
class Mistake:
    """An option that a service would not read as it is meant."""

    host: str
    file: str
    project: str
    section: str
    option: str
    message: str


def check_options(
    plans: Sequence[Plan],
    cloud: Cloud,
    series: str,
    platform: Platform,
    installation: Installation,
    progress: Progress,
    *,
    file: Path | None = None,
) -> None:
    """Check all options of plans against the packages of the cloud's repository, ours or one elsewhere.

    :param file: the operator's, for the lines of options that are from it
    :raises DataError: the mistakes, all of them
    :raises RdoError: the repository can't be read
    """
    wanted = {s.project for plan in plans for s in plan.steps if isinstance(s, Config) and s.project}
    if cloud.repository is None:
        holders = _published(series, platform, installation.paths)
    else:
        with progress.task("Option schemas"):
            key = repositorykey.kept(installation.paths, cloud).read_bytes()
            holders = _elsewhere(f"{cloud.repository}/{platform.name}-{series}/current", key)
    schemas = read_schemas(sorted(wanted), holders, platform, installation, progress)
    source = read_yaml(file) if file is not None else None
    problems = []

    def say(way: tuple[str, ...], where: str, message: str, *, own: bool) -> None:
        if own and file is not None and source is not None:
            problems.append(Problem(file, source.line(("options", *way)), message))
        else:
            problems.append(Problem(Path(where), 0, message))

    for project in sorted(set(cloud.options) - set(cloud.services)):
        say((project,), "options", f"{project} has no options in this cloud", own=True)
    for plan in plans:
        for one in mistakes(plan, schemas):
            own = one.option in cloud.options.get(one.project, {}).get(one.section, {})
            what = f"{one.project}: [{one.section}] {one.option}: {one.message}"
            say((one.project, one.section, one.option), one.file, what, own=own)
    if problems:
        raise DataError(problems)


def mistakes(plan: Plan, schemas: Mapping[str, Schema]) -> Iterator[Mistake]:
    """Yield what is wrong with the options of a plan; projects without a schema are passed over."""
    for step in plan.steps:
        if not isinstance(step, Config) or step.project not in schemas or step.project is None:
            continue
        schema = schemas[step.project]
        values = {
            section: {name: value.shown() for name, value in options.items()}
            for section, options in step.options.items()
        }
        for section, options in values.items():
            known = _section(step.project, section, schema, values)
            for name, value in options.items():
                secret = bool(step.options[section][name].secrets)
                if (message := _judge(name, None if secret else value, section, known, schema)) is not None:
                    yield Mistake(plan.host, step.path, step.project, section, name, message)


def _section(
    project: str, section: str, schema: Schema, values: Mapping[str, Mapping[str, str]]
) -> Mapping[str, Option] | None:
    place, key, like = _NAMING.get(project, ("", "", None))
    text = values.get(place, {}).get(key, "")
    named = [part.partition(":")[0].strip() for part in text.split(",") if part.strip()]
    if section in named and like is not None:
        return schema.get(like)
    if section in named or section.startswith(_DEVICES.get(project, ())):
        return _OF_NAMED[project]
    untold = _UNTOLD.get(project, {}).get(section)
    known = schema.get(untold or section, None if untold is None else {})
    if known is not None and ("auth_type" in known or untold is not None):
        plugin = dict.fromkeys(("auth_type", *_PASSWORD_PLUGIN), Option("string value"))
        return {**plugin, **known}
    return known


def _judge(
    name: str, value: str | None, section: str, known: Mapping[str, Option] | None, schema: Schema
) -> str | None:
    if known is None:
        return f"there is no section [{section}]"
    option = known.get(name.replace("-", "_"))
    if option is None:
        elsewhere = [f"[{other}]" for other, options in schema.items() if name in options]
        return "there is no such option" + (f"; it is in {', '.join(elsewhere[:3])}" if elsewhere else "")
    if option.gone is not None:
        return option.gone
    # What refers to another option can't be told before; what is secret is not quoted in a message.
    return None if value is None or "$" in value else _fault(option, value)


def _fault(option: Option, value: str) -> str | None:
    """Say why oslo.config would refuse a value, or None (as ``oslo_config/types.py`` has it)."""
    if option.type == "boolean value":
        return None if value.lower() in _TRUE_FALSE else "neither true nor false"
    if option.type in ("integer value", "port value", "floating point value"):
        if not value.strip():
            # none, as where the option is not there at all
            return None
        number: float | None = None
        with contextlib.suppress(ValueError):
            number = float(value) if option.type.startswith("floating") else int(value)
        if number is None:
            return f"no {option.type.removesuffix(' value')}"
        low, high = option.min, option.max
        if option.type == "port value":
            low, high = low or 0, high or 65535
        if (low is not None and number < low) or (high is not None and number > high):
            return f"not between {'-∞' if low is None else low} and {'∞' if high is None else high}"
        value = f"{number:g}" if option.choices else value
    # the schema does not tell which options heed the case of letters
    if option.choices and value.lower() not in (choice.lower() for choice in option.choices):
        return f"none of {', '.join(option.choices)}"
    check = _CHECKS.get(option.type)
    return None if check is None or not value.strip() else check(value.strip())


def _address_fault(value: str) -> str | None:
    try:
        ip_address(value)
    except ValueError:
        return "no address"
    return None


def _host_fault(value: str) -> str | None:
    if _address_fault(value) is None:
        return None
    # what looks like an address is meant to be one
    named = _HOSTNAME.fullmatch(value) and not re.fullmatch(r"[\d.]+", value)
    return None if named else "neither an address nor the name of a host"


def _uri_fault(value: str) -> str | None:
    try:
        parts = urlsplit(value)
    except ValueError as error:
        return f"no URI: {error}"
    return None if parts.scheme and (parts.netloc or parts.path) else "no URI: it lacks its scheme"


def _dict_fault(value: str) -> str | None:
    # what is in quotes or braces may have commas and colons of its own
    if set(value) & set("'\"{[("):
        return None
    lacking = [part.strip() for part in value.split(",") if part.strip() and ":" not in part]
    return f"{lacking[0]!r} is no KEY:VALUE" if lacking else None


_HOSTNAME = re.compile(r"(?=.{1,255}$)\w[\w-]{0,62}(\.\w[\w-]{0,62})*\.?", re.ASCII)
_CHECKS: Mapping[str, Callable[[str], str | None]] = {
    "IP address value": _address_fault,
    "host address value": _host_fault,
    "host domain value": _host_fault,
    "uri value": _uri_fault,
    "dict value": _dict_fault,
}


@dataclass(frozen=True)
class Holder:
    """A package with option schemas: its hash, their paths in it, and how its own file is had.

    ``bring`` is given a folder for it, which is gone afterwards.
    """

    sha256: str
    files: tuple[str, ...]
    bring: Callable[[Path], Path]


def _published(series: str, platform: Platform, paths: Paths) -> list[Holder]:
    """Return those of our own published packages.

    :raises InputError: nothing is published
    """
    snapshot = show(paths, platform.name, series).path
    places = {rpm.sha256: rpm.path for rpm in published_rpms(snapshot)}
    return [
        Holder(info.sha256, files, partial(_lying, places[info.sha256]))
        for info in published_infos(snapshot, paths)
        if (files := tuple(file for file in info.files if _SCHEMA.fullmatch(file)))
    ]


def _lying(place: Path, _: Path) -> Path:
    return place


def _elsewhere(place: str, key: bytes) -> list[Holder]:
    """Return those of a repository elsewhere, whose metadata are read for it.

    :param key: what must have signed them
    :raises RdoError: they can't be had, or another key has signed them
    """
    return [
        Holder(one.sha256, one.files, partial(fetch_package, place, one))
        for one in packages_with(place, _SCHEMA, key)
    ]


def read_schemas(
    projects: Sequence[str],
    holders: Sequence[Holder],
    platform: Platform,
    installation: Installation,
    progress: Progress,
) -> dict[str, Schema]:
    """Return the schemas of projects out of packages; projects without one are left out.

    :raises RdoError: a package can't be had or unpacked
    """
    found: dict[str, Schema] = {}
    for project in projects:
        merged: dict[str, dict[str, Option]] = {}
        for holder in holders:
            files = [file for file in holder.files if file.startswith(f"/usr/share/{project}/")]
            if not files:
                continue
            for section, options in _of_package(holder, files, platform, installation, progress).items():
                merged.setdefault(section, {}).update(options)
        if merged:
            found[project] = merged
    return found


def _of_package(
    holder: Holder, files: Sequence[str], platform: Platform, installation: Installation, progress: Progress
) -> Schema:
    kept = installation.paths.metadata / f"option-schemas-{_FORMAT}" / f"{holder.sha256}.json"
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
        rows = json.loads(kept.read_text())
        return {
            section: {n: Option(**row) for n, row in options.items()} for section, options in rows.items()
        }
    layers = RpmLayers(ensure_tools(platform, installation, progress), installation.paths)
    with TemporaryDirectory(prefix="rdo-schemas-") as folder:
        rpm = holder.bring(Path(folder))
        info = read_rpm(rpm, sha256=holder.sha256)
        layers.unpack([info], {holder.sha256: rpm})
    merged: dict[str, dict[str, Option]] = {}
    for file in files:
        content = read_within(layers.layer(info).path, file)
        if content is None:
            raise RdoError(f"{info.nevra} has no plain file {file}, though its metadata say so.")
        for section, options in parse_schema(content.decode(errors="replace")).items():
            merged.setdefault(section, {}).update(options)
    plain = {
        section: {n: asdict(option) for n, option in options.items()} for section, options in merged.items()
    }
    write_atomically(kept, json.dumps(plain), durable=False)
    return merged


def parse_schema(text: str) -> dict[str, dict[str, Option]]:
    """Read what oslo-config-generator writes as YAML."""
    value = yaml.load(text, Loader=_Loader)
    found: dict[str, dict[str, Option]] = {}
    for section, renamed in (value.get("deprecated_options") or {}).items():
        for row in renamed:
            new = f"[{row['replacement_group']}] {row['replacement_name'].replace('-', '_')}"
            found.setdefault(section, {})[_plain(row["name"])] = Option("", gone=f"it is called {new} now")
    for section, group in value["options"].items():
        options = found.setdefault(section, {})
        for row in group["opts"]:
            gone = None
            if row["deprecated_for_removal"]:
                gone = f"it is deprecated since {row['deprecated_since'] or 'some time'}"
            options[_plain(row["name"])] = Option(
                type=row["type"],
                choices=tuple(str(choice[0]) for choice in row["choices"] if choice[0] is not None),
                min=row["min"],
                max=row["max"],
                gone=gone,
            )
    return found


def _plain(name: str) -> str:
    return name.replace("-", "_")

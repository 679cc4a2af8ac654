"""Where settings come from: the environment, the settings files, pip's configuration, and defaults."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from rdo.cli.hidden_secrets import has_secret
from rdo.cli.pip_settings import pip_files, pip_settings
from rdo.common.errors import DataError, InputError
from rdo.common.settings import Settings
from rdo.distribution.yamlfile import read_yaml

#: Variables that others gave their names; ours begin with ``RDO_``. The first that is set counts.
FOREIGN: dict[str, tuple[str, ...]] = {
    "index_url": ("PIP_INDEX_URL",),
    "index_certificates": ("PIP_CERT",),
    "http_proxy": ("http_proxy",),
    "https_proxy": ("https_proxy", "HTTPS_PROXY"),
    "no_proxy": ("no_proxy", "NO_PROXY"),
}
FILE = "RDO_SETTINGS"

_FOLDERS = ("state", "cache")


class EnvironmentSettings(BaseSettings, Settings):
    """The settings as variables of the environment, and ``home``, which stands for two of them."""

    model_config = SettingsConfigDict(env_prefix="RDO_", env_ignore_empty=True)

    home: Path | None = Field(
        default=None, description="folder whose `state` and `cache` are used instead of the usual places"
    )


@dataclass
class Source:
    """Values that one place has, as they are written there, and of each the place that a user would look at.

    :param problems: what is wrong in the place itself
    """

    values: dict[str, str] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def put(self, name: str, value: str, origin: str) -> None:
        """Add a value. ``home`` stands for state and cache, which are kept where they are said as well."""
        if name == "home":
            for folder in _FOLDERS:
                if folder not in self.values:
                    self.put(folder, str(Path(value) / folder), origin)
            return
        self.values[name], self.origins[name] = value, origin


def variables_of(name: str) -> tuple[str, ...]:
    """Return the variables that say a setting; the first that is set counts."""
    return (f"RDO_{name.upper()}", *FOREIGN.get(name, ()))


def environment(environ: Mapping[str, str]) -> Source:
    """Return what variables of the environment say."""
    origins: dict[str, str] = {}
    ours: dict[str, str | None] = {}
    for name in EnvironmentSettings.model_fields:
        for variable in variables_of(name):
            if environ.get(variable):
                ours[f"rdo_{name}"], origins[name] = environ[variable], variable
                break
    reader = EnvSettingsSource(EnvironmentSettings)
    reader.env_vars = ours
    found = reader()
    source = Source()
    for name in sorted(found, key=lambda name: name == "home"):
        source.put(name, _absolute(name, found[name], Path.cwd()), origins[name])
    return source


def settings_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the settings files that are there, the one that counts most first.

    ``RDO_SETTINGS`` names the only one; else the user's own (not root's) and the machine's are looked for.

    :raises InputError: the file that the variable names is not there
    """
    if named := environ.get(FILE):
        if not Path(named).exists():
            raise InputError(f"{FILE} names {named}, which does not exist.")
        return [Path(named).absolute()]
    places = [Path("/etc/rdo/settings.yaml")]
    if os.geteuid() != 0:
        places.insert(0, _folder(environ, "XDG_CONFIG_HOME", ".config") / "rdo" / "settings.yaml")
    return [place for place in places if place.exists()]


def settings_file(file: Path) -> Source:
    """Return what a settings file says: ``name: value``, relative paths from the file's folder."""
    try:
        content = read_yaml(file, as_text=True)
    except DataError as error:
        return Source(problems=[str(problem) for problem in error.problems])
    source = Source(problems=[str(problem) for problem in content.problems])
    if content.problems or content.value in (None, ""):
        return source
    if not isinstance(content.value, dict):
        source.problems.append(f"{file}: it should be lines of NAME: VALUE")
        return source
    for name in sorted(content.value, key=lambda name: name == "home"):
        value, place = content.value[name], f"{file}:{content.line((name,))}"
        if problem := _problem(name, value):
            source.problems.append(f"{place}: {problem}")
        else:
            source.put(name, _absolute(name, value, file.parent), place)
    if has_secret(source.values.values()) and _others_read(file):
        source.problems.append(f"{file}: it holds a password, and others can read it; chmod 600 {file}")
    return source


def pip(environ: Mapping[str, str]) -> Source:
    """Return what pip's configuration files say of the package index."""
    source = Source()
    for name, key in (("index_url", "index-url"), ("index_certificates", "cert")):
        for file, values in pip_settings(pip_files(environ)):
            if key in values:
                source.put(name, values[key], str(file))
    return source


def defaults(environ: Mapping[str, str]) -> Source:
    """Return where state and cache are by default: for root the system's folders, for others XDG's."""
    source = Source()
    if os.geteuid() == 0:
        source.put("state", "/var/lib/rdo", "default")
        source.put("cache", "/var/cache/rdo", "default")
        return source
    for name, variable, place in (
        ("state", "XDG_STATE_HOME", ".local/state"),
        ("cache", "XDG_CACHE_HOME", ".cache"),
    ):
        origin = variable if environ.get(variable) else "default"
        source.put(name, str(_folder(environ, variable, place) / "rdo"), origin)
    return source


def unknown_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield variables that look like settings and are none, with those that may be meant."""
    known = {variables_of(name)[0] for name in EnvironmentSettings.model_fields} | {FILE}
    for variable in sorted(environ):
        if not variable.startswith("RDO_") or variable in known or variable.startswith("RDO_PASSWORD_"):
            continue
        words = [name.removeprefix("RDO_") for name in known]
        if nearest := get_close_matches(variable.removeprefix("RDO_"), sorted(words), n=2, cutoff=0.75):
            yield variable, [f"RDO_{word}" for word in nearest]


def _problem(name: object, value: object) -> str | None:
    known = sorted(EnvironmentSettings.model_fields)
    if name not in known:
        nearest = get_close_matches(str(name), known, n=3, cutoff=0.5)
        return f"there is no setting {name!r}" + (f"; nearest: {', '.join(nearest)}" if nearest else "")
    if not isinstance(value, str) or not value.strip():
        return f"{name} should be a text that is not empty"
    return None


def _absolute(name: str, value: str, folder: Path) -> str:
    kind = EnvironmentSettings.model_fields[name].annotation
    is_path = kind in (Path, Path | None) or (name in ("store", "el_mirror", "el_key") and "://" not in value)
    return str((folder / value).absolute()) if is_path else value


def _folder(environ: Mapping[str, str], variable: str, place: str) -> Path:
    if environ.get(variable):
        return Path(environ[variable]).absolute()
    return Path(environ.get("HOME") or "~").expanduser().absolute() / place


def _others_read(file: Path) -> bool:
    status = file.stat()
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & (stat.S_IRWXG | stat.S_IRWXO))

"""Where the Python package index is: what pip on this machine is told, read without running pip."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rdo.common.errors import InputError


@dataclass(frozen=True)
class IndexSettings:
    """Address of the index (None: the client library's own default) and file of trusted authorities."""

    url: str | None = None
    authorities: Path | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> IndexSettings:
        """Read pip's settings: ``PIP_INDEX_URL`` and ``PIP_CERT``, else its configuration files.

        :raises InputError: the index isn't reached over HTTP, or the authorities' file is missing
        """
        env = os.environ if environ is None else environ
        configured = _pip_configuration(env)
        url = env.get("PIP_INDEX_URL") or configured.get("index-url")
        if url is not None and not url.startswith(("http://", "https://")):
            raise InputError(f"pip's index-url is {url!r}; only http and https indexes can be used.")
        cert = env.get("PIP_CERT") or configured.get("cert")
        if cert is not None and not Path(cert).exists():
            raise InputError(f"pip's certificate file {cert} does not exist.")
        return cls(url=url, authorities=None if cert is None else Path(cert))


def _pip_configuration(env: Mapping[str, str]) -> dict[str, str]:
    """Merge the ``[global]`` sections of pip's files; later files win, as with pip.

    Places: https://pip.pypa.io/en/stable/topics/configuration/
    """
    if env.get("PIP_CONFIG_FILE") == os.devnull:
        return {}
    merged: dict[str, str] = {}
    for place in _pip_files(env):
        parser = configparser.RawConfigParser()
        try:
            parser.read(place, encoding="utf-8")
        except configparser.Error as error:
            raise InputError(f"pip's configuration {place} can't be read: {error}") from error
        if parser.has_section("global"):
            merged |= {key.replace("_", "-"): value for key, value in parser.items("global")}
    return merged


def _pip_files(env: Mapping[str, str]) -> list[Path]:
    home = Path(env["HOME"]) if env.get("HOME") else None
    shared = [Path(folder) / "pip/pip.conf" for folder in env.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
    files = [*shared, Path("/etc/pip.conf")]
    if home is not None:
        files.append(home / ".pip/pip.conf")
        files.append(Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf")
    if env.get("PIP_CONFIG_FILE"):
        files.append(Path(env["PIP_CONFIG_FILE"]))
    return files

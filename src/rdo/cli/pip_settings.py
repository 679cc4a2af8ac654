"""What pip on this machine is told about the package index, read without running pip."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rdo.common.errors import InputError


def pip_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the places of pip's configuration files; later ones win.

    https://pip.pypa.io/en/stable/topics/configuration/
    """
    if environ.get("PIP_CONFIG_FILE") == os.devnull:
        return []
    shared = [
        Path(folder) / "pip/pip.conf" for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    ]
    files = [*shared, Path("/etc/pip.conf")]
    if environ.get("HOME"):
        home = Path(environ["HOME"])
        files.append(home / ".pip/pip.conf")
        files.append(Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf")
    if environ.get("PIP_CONFIG_FILE"):
        files.append(Path(environ["PIP_CONFIG_FILE"]))
    return files


def pip_settings(files: Sequence[Path]) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield the ``[global]`` section of each file that exists.

    :raises InputError: a file can't be read
    """
    for place in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(place, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise InputError(f"pip's configuration {place} can't be read: {error}") from error
        if parser.has_section("global"):
            yield place, {key.replace("_", "-"): value for key, value in parser.items("global")}

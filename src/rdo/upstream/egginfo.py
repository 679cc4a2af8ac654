"""The text formats setuptools leaves in an sdist: requires.txt, entry_points.txt, setup.cfg."""

from __future__ import annotations

import configparser

from rdo.upstream.pyproject import with_extra


def parse_requires(text: str) -> list[str]:
    """Turn an egg-info's requires.txt into PEP 508 requirements.

    Its sections are ``[extra]``, ``[extra:marker]`` and ``[:marker]``.
    """
    found: list[str] = []
    extra = marker = ""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            extra, _, marker = line[1:-1].partition(":")
            continue
        found.append(with_extra(line, extra.strip(), marker.strip()))
    return found


def parse_entry_points(text: str) -> dict[str, dict[str, str]]:
    """Read an INI text of entry points: groups, names, objects. What can't be parsed is left out."""
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False, allow_no_value=True)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {
        group: {name.strip(): value.strip() for name, value in parser.items(group) if value}
        for group in parser.sections()
    }


class SetupCfg:
    """A setup.cfg, as setuptools and pbr read it. A file that can't be parsed counts as empty."""

    def __init__(self, text: str | None) -> None:
        self._parser = configparser.RawConfigParser(strict=False)
        self._parser.optionxform = str  # type: ignore[method-assign, assignment]
        try:
            self._parser.read_string(text or "")
        except configparser.Error:
            self._parser = configparser.RawConfigParser()

    def value(self, section: str, *names: str) -> str | None:
        """Return the first of the named values that is there, dashes and underscores being the same."""
        if not self._parser.has_section(section):
            return None
        present = {key.replace("-", "_"): value for key, value in self._parser.items(section)}
        return next((present[name].strip() for name in names if present.get(name, "").strip()), None)

    def lines(self, section: str, *names: str) -> list[str]:
        """Return a value that is a list, one entry a line (or between commas on one line)."""
        value = self.value(section, *names)
        if value is None:
            return []
        rows = value.splitlines() if "\n" in value else value.split(",")
        return [row.strip() for row in rows if row.strip() and not row.strip().startswith("#")]

    def requirements(self, *names: str) -> list[str]:
        """Return requirements from [options] (or distutils' old [metadata]), one a line."""
        value = self.value("options", *names) or self.value("metadata", *names)
        return [] if value is None else _requirement_lines(value)

    def extras(self) -> dict[str, list[str]]:
        """Return [options.extras_require]."""
        section = "options.extras_require"
        if not self._parser.has_section(section):
            return {}
        return {name: _requirement_lines(value) for name, value in self._parser.items(section)}

    def entry_points(self) -> dict[str, dict[str, str]]:
        """Return [options.entry_points], or pbr's [entry_points]."""
        found: dict[str, dict[str, str]] = {}
        for section in ("options.entry_points", "entry_points"):
            if not self._parser.has_section(section):
                continue
            for group, value in self._parser.items(section):
                if value.lstrip().startswith("file:"):
                    continue
                pairs = (row.partition("=") for row in value.splitlines() if "=" in row)
                found.setdefault(group, {}).update({name.strip(): item.strip() for name, _, item in pairs})
        return found


def _requirement_lines(value: str) -> list[str]:
    rows = [row.partition(" #")[0].strip() for row in value.splitlines()]
    if len(rows) == 1 and ";" in rows[0] and not _has_marker(rows[0]):
        # a list set off by semicolons ("setuptools;wheel;pip"): one requirement each
        rows = rows[0].split(";")
    return [row.strip() for row in rows if row.strip() and not row.startswith("#")]


def _has_marker(row: str) -> bool:
    return any(word in row.partition(";")[2] for word in ("==", "<", ">", " in ", "!="))

"""Why a build failed, in its log's own decisive lines, and what would mend it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from rdo.building.rpminfo import RpmInfo
from rdo.common.text import visible
from rdo.distribution.models import Platform

_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)'?")
_BACKEND = re.compile(r"BackendUnavailable: Cannot import '([\w.]+)'")
_COMMANDS = (
    re.compile(r"^\S+: (?:line )?\d+: ([\w.+-]+): (?:command )?not found$", re.MULTILINE),
    re.compile(r"FileNotFoundError: \[Errno 2\] No such file or directory: '([\w.+-]+)'"),
    re.compile(r"error: command '([\w.+-]+)' failed: No such file or directory"),
    re.compile(r"Unable to execute '?([\w.+-]+)'?"),
)
_HEADER = re.compile(r"fatal error: (\S+\.h): No such file or directory")
_NETWORK = re.compile(
    r"^.*(?:Temporary failure in name resolution|Name or service not known|Network is unreachable"
    r"|Could not resolve host|NewConnectionError|nodename nor servname).*$",
    re.MULTILINE,
)
_DENIED = re.compile(r"^.*(?:Permission denied|Read-only file system).*$", re.MULTILINE)
_LINE = 300  # characters of a line of a log that are shown
_BLOCKS = (
    "Failed build dependencies:",
    "Installed (but unpackaged) file(s) found:",
)


@dataclass(frozen=True)
class Diagnosis:
    """``reason`` has at most a dozen lines; ``hint`` names what would mend it, where that is known."""

    reason: str
    hint: str | None = None


def diagnose(log: str, records: Sequence[RpmInfo], platform: Platform) -> Diagnosis:
    """Find the decisive lines of a failed build's log. Its control characters are shown as text.

    :param records: packages that could have been build requirements
    """
    found = _decisive(log, records, platform)
    hint = None if found.hint is None else visible(found.hint, line=_LINE)
    return Diagnosis(visible(found.reason, line=_LINE), hint)


def _decisive(log: str, records: Sequence[RpmInfo], platform: Platform) -> Diagnosis:
    for pattern in (_BACKEND, _MODULE):
        if found := list(pattern.finditer(log)):
            module = found[-1][1].split(".")
            return Diagnosis(found[-1][0], _module_hint(module, records, platform))
    for title in _BLOCKS:
        if block := _block(log, title):
            return Diagnosis(block)
    if match := _NETWORK.search(log):
        return Diagnosis(
            f"It tried to use the network: {match[0].strip()}",
            "Builds have no network; what it fetches must be a source or a build requirement.",
        )
    if "No space left on device" in log:
        return Diagnosis("It filled the space that a build may use (No space left on device).")
    if match := _HEADER.search(log):
        return Diagnosis(match[0], f"A build requirement must bring {match[1]} (a -devel package).")
    for pattern in _COMMANDS:
        if match := pattern.search(log):
            return Diagnosis(match[0].strip(), _command_hint(match[1], records))
    lines = [line.strip() for line in log.splitlines()]
    errors = [
        line for line in lines if line.startswith("error: ") or re.match(r"\w*(?:Error|Exception): ", line)
    ]
    denied = _DENIED.findall(log)
    if denied and all(line.startswith("error: Bad exit status") for line in errors):
        return Diagnosis(
            "\n".join([denied[-1].strip(), *dict.fromkeys(errors)]),
            "A build has no rights beyond its build folder, the buildroot and /tmp.",
        )
    if errors and all(line.startswith("error: Bad exit status") for line in errors):
        # rpmbuild only says which part of the spec failed; what failed there is what was printed last.
        return Diagnosis("\n".join([*_words_before(lines, errors[0]), *dict.fromkeys(errors)]))
    if errors:
        return Diagnosis("\n".join(dict.fromkeys(errors[-6:])))
    return Diagnosis("\n".join(line for line in lines[-8:] if line) or "It failed without a word.")


def _words_before(lines: Sequence[str], last: str) -> list[str]:
    """Return up to eight lines that a script printed before its end, the shell's own trace left out."""
    said: list[str] = []
    for line in reversed(lines[: lines.index(last)]):
        if line.startswith(("+ ", "Executing(")) or len(said) == 8:
            break
        if line:
            said.insert(0, line)
    return said


def _block(log: str, title: str) -> str | None:
    """Return a title's line with the indented lines below it."""
    lines = log.splitlines()
    for number, line in enumerate(lines):
        if title in line:
            below = []
            for following in lines[number + 1 :]:
                if not following[:1].isspace() or not following.strip():
                    break
                below.append(following.strip())
            return "\n".join([line.strip(), *below[:12]])
    return None


def _module_hint(module: Sequence[str], records: Sequence[RpmInfo], platform: Platform) -> str | None:
    """Name the package of a missing module, longest dotted name first: ``oslo_config`` is ``oslo-config``."""
    for length in range(len(module), 0, -1):
        plain = canonicalize_name("-".join(module[:length]))
        dist = {"pkg-resources": "setuptools", "yaml": "pyyaml", "attr": "attrs"}.get(plain, str(plain))
        capability = f"python3dist({dist})"
        known = any(p.partition(" ")[0] == capability for record in records for p in record.provides)
        if known or dist in platform.provides:
            return f"Add the build requirement {capability}."
    return None


def _command_hint(command: str, records: Sequence[RpmInfo]) -> str | None:
    named = {f"deb({command})", command}
    for place in (f"/usr/bin/{command}", f"/usr/sbin/{command}"):
        for record in records:
            if place in record.provides or place in record.files:
                return f"Add the build requirement {record.name} (it has {place})."
    for record in records:
        if record.name == command or named & set(record.provides):
            return f"Perhaps the build requirement {record.name} is missing."
    return None

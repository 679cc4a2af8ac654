"""What a plan would change in files: unified differences, their secrets masked."""

from __future__ import annotations

import difflib
import re
import shlex
from base64 import b64decode
from collections.abc import Sequence

from rdo.cloud.plan import AnyStep, Config, File

_MASK = "***"


def difference_script(steps: Sequence[AnyStep]) -> str:
    """Return a script that prints the present content of the files that steps would write."""
    lines = ["true"]
    for number, step in enumerate(steps):
        if isinstance(step, File | Config):
            path = shlex.quote(step.path)
            lines.append(f'[ ! -f {path} ] || echo "rdo-file:{number}:$(base64 -w0 <{path})"')
    return "\n".join(lines) + "\n"


def read_difference(said: str, steps: Sequence[AnyStep], secrets: Sequence[str]) -> dict[str, str]:
    """Return id -> unified difference, for the steps that write files.

    :param said: what :func:`difference_script` printed
    :param secrets: values that are hidden, in the old content as in the new
    """
    there = {int(number): b64decode(text) for number, text in re.findall(r"rdo-file:(\d+):(\S*)", said)}
    found = {}
    for number, step in enumerate(steps):
        if not isinstance(step, File | Config):
            continue
        file = step.as_file() if isinstance(step, Config) else step
        old = _shown(there.get(number, b"").decode(errors="replace"), secrets)
        new = _shown(file.content.get_secret_value(), secrets)
        before = step.path if number in there else "/dev/null"
        rows = difflib.unified_diff(old, new, before, step.path, lineterm="")
        found[step.id] = "\n".join(rows) or f"owner or mode of {step.path}, or a secret in it"
    return found


def _shown(text: str, secrets: Sequence[str]) -> list[str]:
    if "PRIVATE KEY" in text:
        return ["(a private key)"]
    for secret in secrets:
        text = text.replace(secret, _MASK)
    return text.splitlines()

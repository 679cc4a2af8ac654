"""What a plan would change in files: unified differences, in which secrets are hidden by their place.

A new line is shown by its pieces. What a host has at the place of a secret may be an older secret, one of
somebody else, or anything: an old line is shown only as far as the new file says what stands there.
"""

from __future__ import annotations

import difflib
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from rdo.cloud.plan import AnyStep, Config, File, Plan
from rdo.cloud.shell import Shell, lines, sh
from rdo.cloud.texts import HIDDEN, Text, secrets_of

# An option and what is between it and its value, in any of the kinds of files that there are.
_KEY = re.compile(r"""(?P<key>\s*["']?[\w.@-]+(?:\s+[\w.@-]+)?["']?\s*[=:]\s*)\S""")
_SECTION = re.compile(r"\[[^\]]*\]\s*")


def hidden(plans: Sequence[Plan], secrets: Sequence[str]) -> list[str]:
    """Return all that is hidden in what programs print: secrets as they are, and as plans have them.

    :returns: the longest first
    """
    written = secrets_of(text for plan in plans for step in plan.steps for text in texts_of(step))
    return sorted({*written, *(value for value in secrets if value)}, key=len, reverse=True)


def texts_of(value: object) -> Iterator[Text]:
    """Yield all texts in a step."""
    if isinstance(value, Text):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from texts_of(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts_of(item)


def difference_script(steps: Sequence[AnyStep]) -> Shell:
    """Return a script that prints the present content of the files that steps would write."""
    parts = [sh("true")]
    for number, step in enumerate(steps):
        if isinstance(step, File | Config):
            parts.append(
                sh(
                    "[ ! -f %(path)s ] || { echo; echo -n %(mark)s; base64 -w0 <%(path)s; echo; }",
                    path=step.path,
                    mark=f"rdo-file:{number}:",
                )
            )
    return lines([*parts, sh("")])


def read_difference(said: str, steps: Sequence[AnyStep], secrets: Sequence[str]) -> dict[str, str]:
    """Return id -> unified difference, for the steps that write files.

    :param said: what :func:`difference_script` printed
    :param secrets: values that are hidden wherever they are in old content, the longest first
    """
    there = {int(number): b64decode(text) for number, text in re.findall(r"rdo-file:(\d+):(\S*)", said)}
    found = {}
    for number, step in enumerate(steps):
        if not isinstance(step, File | Config):
            continue
        file = step.as_file() if isinstance(step, Config) else step
        text = there.get(number, b"").decode(errors="replace")
        old = [_masked(line, secrets) for line in _shown(text, file)]
        new = [line.shown() for line in file.content.lines()]
        before = step.path if number in there else "/dev/null"
        rows = difflib.unified_diff(old, new, before, step.path, lineterm="")
        found[step.id] = "\n".join(rows) or f"owner or mode of {step.path}, or a secret in it"
    return found


def _shown(old: str, file: File) -> Iterator[str]:
    """Yield the lines of old content, as far as they can be shown."""
    if int(file.mode, 8) & 0o004 and not file.content.secrets:
        # anybody on the host may read it
        yield from old.splitlines()
        return
    new = [*file.content.lines()]
    plain = {line.shown() for line in new if not line.secrets}
    secret = [(_pattern(line), line.shown()) for line in new if line.secrets]
    known = {_key(line) for line in plain} - {_key(shown) for _, shown in secret} - {None}
    hiding = False
    for line in old.splitlines():
        # a private key, or another value without a place in the new file
        hiding = hiding or "-----BEGIN " in line
        match = next((shown for pattern, shown in secret if pattern.fullmatch(line)), None)
        if hiding:
            yield HIDDEN
        elif line in plain or not line.strip() or _SECTION.fullmatch(line) or _key(line) in known:
            yield line
        else:
            key = _KEY.match(line)
            yield match or (f"{key['key']}{HIDDEN}" if key else HIDDEN)
        hiding = hiding and "-----END " not in line


def _key(line: str) -> str | None:
    found = _KEY.match(line)
    return None if found is None else found["key"].strip(" \t=:\"'")


def _pattern(line: Text) -> re.Pattern[str]:
    return re.compile("".join(".*" if piece.secret else re.escape(piece.text) for piece in line.pieces))


def _masked(line: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        line = line.replace(secret, HIDDEN)
    return line

"""The sections of a spec that rpm has expanded (``rpmspec --parse``): what rpm says of a spec nowhere else.

That is the scripts of triggers, which rpm puts into a header only when it packs, and the rights and places
that ``%files`` states.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from rdo.building.rpm_facts import TRIGGERS, trigger_body
from rdo.building.values import Value

# rpm's build/parseSpec.c, partList
_SECTIONS = (
    *("package", "prep", "generate_buildrequires", "conf", "build", "install", "check", "clean"),
    *("preun", "postun", "pretrans", "posttrans", "preuntrans", "postuntrans", "pre", "post", "files"),
    *("changelog", "description", "triggerpostun", "triggerprein", "triggerun", "triggerin", "trigger"),
    *("verifyscript", "sepolicy", "filetriggerin", "transfiletriggerin", "filetriggerun"),
    *("transfiletriggerun", "filetriggerpostun", "transfiletriggerpostun", "patchlist", "sourcelist"),
)
_START = re.compile(rf"%({'|'.join(_SECTIONS)})(?=\s|$)(.*)", re.IGNORECASE | re.DOTALL)
_DIRECTIVE = re.compile(r"\s*%([a-z]+)(?:\s*\(([^)]*)\))?")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^\s"\\]|\\.)+)')


@dataclass(frozen=True)
class Section:
    """A section: its word in lower case, what stands behind that, and its lines."""

    word: str
    arguments: str
    lines: list[str] = field(default_factory=list)


class FileRule(Value):
    """One line of ``%files``: a glob of absolute paths and what it states; None where it states nothing.

    ``alone`` is %dir: what is below is not meant.
    """

    glob: str
    alone: bool = False
    mode: int | None = None
    user: str | None = None
    group: str | None = None
    capabilities: str = ""

    def covers(self, path: str) -> bool:
        """Return whether rpm takes a path into the package by this line."""
        return _matcher(self.glob, self.alone).fullmatch(path) is not None


def sections(text: str) -> list[Section]:
    """Return the sections of an expanded spec in their order; what precedes the first is not among them."""
    found: list[Section] = []
    for line in text.splitlines():
        if match := _START.match(line):
            found.append(Section(match[1].lower(), match[2].strip()))
        elif found:
            found[-1].lines.append(line)
    return found


def package_of(section: Section, main: str) -> str:
    """Return the binary package that a section is of.

    :param main: the name of the spec's own package
    """
    words = _words(section.arguments.partition(" -- ")[0])
    if "-n" in words:
        return words[words.index("-n") + 1]
    valued = {"-p", "-f", "-P", "-l"}
    bare = [w for w, before in zip(words, ["", *words], strict=False) if w[0] != "-" and before not in valued]
    return f"{main}-{bare[0]}" if bare else main


def bodies_of(parts: Iterable[Section], main: str, package: str) -> dict[str, list[str]]:
    """Return a package's triggers, by family, in the order in which rpm numbers them."""
    found: dict[str, list[str]] = {family: [] for family in TRIGGERS}
    for part in parts:
        family = re.match(r"(?:trans)?(?:file)?trigger", part.word)
        if family is None or package_of(part, main) != package:
            continue
        words = _words(part.arguments.partition(" -- ")[0])
        program = words[words.index("-p") + 1] if "-p" in words else "/bin/sh"
        priority = int(words[words.index("-P") + 1]) if "-P" in words else 1_000_000
        flags = ("-e" in words) | ("-q" in words) << 1
        text = "\n".join(part.lines)
        found[family[0].upper()].append(trigger_body(program, flags, priority, text))
    return found


def rules_of(
    parts: Iterable[Section], main: str, package: str, version: str
) -> tuple[list[FileRule], list[str]]:
    """Return the lines of a package's ``%files``, and the lists of files that it names besides.

    :param version: the package's; rpm may put it into the names of folders of documents
    """
    rules: list[FileRule] = []
    lists: list[str] = []
    for part in parts:
        if part.word == "files" and package_of(part, main) == package:
            words = _words(part.arguments)
            lists += [after for word, after in pairwise(words) if word == "-f"]
            rules += _rules(part.lines, f"{package}{{,-{version}}}")
    return rules, lists


def _rules(lines: Iterable[str], folder: str) -> Iterator[FileRule]:
    default: tuple[str, ...] = ()
    for line in lines:
        rest, stated = line.strip(), dict[str, str]()
        while match := _DIRECTIVE.match(rest):
            stated[match[1]] = match[2] or ""
            rest = rest[match.end() :]
        if "defattr" in stated:
            default = _attributes(stated["defattr"])
        if line.startswith("#") or "exclude" in stated or "defattr" in stated:
            continue
        attributes = _attributes(stated["attr"]) if "attr" in stated else default
        mode, user, group = (*attributes, "-", "-", "-")[:3]
        for word in _globs(rest):
            yield FileRule(
                glob=word
                if word.startswith("/")
                else f"/usr/share/{'licenses' if 'license' in stated else 'doc'}/{folder}",
                alone="dir" in stated,
                mode=int(mode, 8) if re.fullmatch("[0-7]+", mode) else None,
                user=None if user == "-" else user,
                group=None if group == "-" else group,
                capabilities=stated.get("caps", "").strip(),
            )


def _attributes(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _words(text: str) -> list[str]:
    return shlex.split(text, posix=True)


def _globs(text: str) -> list[str]:
    """Split a line of %files into globs, as rpm does: blanks part them but in quotes; backslashes stay."""
    return [quoted or bare for quoted, bare in _WORD.findall(text)]


@lru_cache(maxsize=16384)
def _matcher(glob: str, alone: bool) -> re.Pattern[str]:
    return re.compile(f"{_pattern(glob)}{'' if alone else '(/.*)?'}", re.DOTALL)


def _pattern(glob: str) -> str:
    """Return the regular expression of a glob as rpm's glob(3) has it: wildcards don't cross slashes."""
    text, depth, at = "", 0, 0
    while at < len(glob):
        char = glob[at]
        at += 1
        if char == "\\" and at < len(glob):
            text += re.escape(glob[at])
            at += 1
        elif char in "*?":
            text += "[^/]" + ("*" if char == "*" else "")
        elif char == "[" and (end := glob.find("]", at + 2)) > 0:
            inside = glob[at:end].replace("\\", "\\\\")
            text += f"(?!/)[{'^' + inside[1:] if inside[0] == '!' else inside}]"
            at = end + 1
        elif char == "{" and "}" in glob[at:]:
            depth += 1
            text += "(?:"
        elif char == "," and depth:
            text += "|"
        elif char == "}" and depth:
            depth -= 1
            text += ")"
        else:
            text += re.escape(char)
    return text

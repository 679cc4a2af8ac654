"""What an RPM would do to a host: names, scripts, relations and rights, in a form that can be compared.

One reader takes a header of a built RPM and what rpm says of a spec, so that both sides are written alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rdo.building.rpm_header import RpmHeaderError, Tags
from rdo.building.values import Value

#: Scriptlets: rpm's tag -> the section of a spec that it is from.
SCRIPTS = {
    "PREIN": "%pre",
    "POSTIN": "%post",
    "PREUN": "%preun",
    "POSTUN": "%postun",
    "PRETRANS": "%pretrans",
    "POSTTRANS": "%posttrans",
    "PREUNTRANS": "%preuntrans",
    "POSTUNTRANS": "%postuntrans",
    "VERIFYSCRIPT": "%verifyscript",
}

#: Families of triggers: the start of their tags -> the tag of their scripts.
TRIGGERS = {"TRIGGER": "triggers", "FILETRIGGER": "file triggers", "TRANSFILETRIGGER": "file triggers"}

#: Relations that rpm's generators have no part in: the start of their tags -> the spec's word.
RELATIONS = {
    "OBSOLETE": "Obsoletes",
    "CONFLICT": "Conflicts",
    "RECOMMEND": "Recommends",
    "SUGGEST": "Suggests",
    "SUPPLEMENT": "Supplements",
    "ENHANCE": "Enhances",
    "ORDER": "OrderWithRequires",
}

_LESS, _GREATER, _EQUAL = 2, 4, 8
_OPERATORS = {
    _LESS: "<",
    _GREATER: ">",
    _EQUAL: "=",
    _LESS | _EQUAL: "<=",
    _GREATER | _EQUAL: ">=",
    _LESS | _GREATER: "<>",
}
# RPMSENSE_TRIGGER… of rpm's include/rpm/rpmds.h
_EVENTS = {1 << 16: "in", 1 << 17: "un", 1 << 18: "postun", 1 << 25: "prein"}
_PRIORITY = 1_000_000
_GHOST = 1 << 6


class FileFact(NamedTuple):
    """One path of an RPM: ``mode`` with the type as stat(2) has it, ``digest`` of a file's content.

    ``target`` is a link's, as the link has it.
    """

    path: str
    mode: int
    user: str
    group: str
    capabilities: str = ""
    digest: str = ""
    ghost: bool = False
    target: str = ""


class RpmFacts(Value):
    """One RPM, built or expected. ``source`` is the source RPM's file name; empty for a source RPM itself.

    ``scripts`` are by section: interpreter, flags and text. ``triggers`` are whole sentences, in order.
    ``sysusers`` are lines of sysusers.d that rpm carries out itself.
    """

    name: str
    epoch: str = "0"
    version: str
    release: str
    arch: str
    source: str = ""
    licence: str = ""
    scripts: Mapping[str, str] = {}
    triggers: tuple[str, ...] = ()
    relations: Mapping[str, tuple[str, ...]] = {}
    provides: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    sysusers: tuple[str, ...] = ()

    @property
    def filename(self) -> str:
        """The name that rpmbuild gives its file."""
        return f"{self.name}-{self.version}-{self.release}.{self.arch}.rpm"

    @property
    def evr(self) -> str:
        """``epoch:version-release``, without an epoch of 0."""
        epoch = "" if self.epoch == "0" else f"{self.epoch}:"
        return f"{epoch}{self.version}-{self.release}"


def facts_of(tags: Tags, *, bodies: Mapping[str, Sequence[str]] | None = None) -> RpmFacts:
    """Return what tags say, be they a header's or those that rpm says a spec's package will have.

    :param bodies: each family's triggers as :func:`trigger_body` writes them, for tags without them
    :raises RpmHeaderError: a tag that must be there isn't, or is there more than once
    """
    is_source = "SOURCEPACKAGE" in tags
    return RpmFacts(
        name=_one(tags, "NAME"),
        epoch=_one(tags, "EPOCH", "0"),
        version=_one(tags, "VERSION"),
        release=_one(tags, "RELEASE"),
        # a source RPM's header has the architecture of what is made of it
        arch="src" if is_source else _one(tags, "ARCH"),
        source=_one(tags, "SOURCERPM", ""),
        licence=_one(tags, "LICENSE", ""),
        scripts={section: text for tag, section in SCRIPTS.items() if (text := _script(tags, tag))},
        triggers=tuple(
            line
            for family in TRIGGERS
            for line in _triggers(tags, family, _bodies(tags, family) if bodies is None else bodies[family])
        ),
        relations={word: found for tag, word in RELATIONS.items() if (found := _relation(tags, tag))},
        provides=_relation(tags, "PROVIDE"),
        requires=_relation(tags, "REQUIRE"),
        prefixes=tuple(map(str, tags.get("PREFIXES", ()))),
        sysusers=tuple(map(str, tags.get("SYSUSERS", ()))),
    )


def files_of(tags: Tags) -> list[FileFact]:
    """Return the paths of an RPM, from its header.

    :raises RpmHeaderError: the tags of files are not of one length, or tell of a file twice
    """
    names = tags.get("BASENAMES", ())
    if not names:
        return []
    columns = [
        tags.get(tag, ())
        for tag in ("DIRINDEXES", "FILEMODES", "FILEUSERNAME", "FILEGROUPNAME", "FILEDIGESTS", "FILEFLAGS")
    ]
    capabilities = tags.get("FILECAPS") or [""] * len(names)
    targets = tags.get("FILELINKTOS") or [""] * len(names)
    folders = tags.get("DIRNAMES", ())
    if any(len(column) != len(names) for column in (*columns, capabilities, targets)):
        raise RpmHeaderError("has a header that lists its files incompletely")
    if any(not 0 <= int(index) < len(folders) for index in columns[0]):
        raise RpmHeaderError("has a header whose files are in folders that it doesn't have")
    paths = [f"{folders[int(index)]}{name}" for name, index in zip(names, columns[0], strict=True)]
    if len(set(paths)) != len(paths):
        raise RpmHeaderError("has a header that tells of a file twice")
    return [
        FileFact(
            path=path,
            mode=int(mode),
            user=str(user),
            group=str(group),
            digest=str(digest),
            ghost=bool(int(flags) & _GHOST),
            capabilities=str(caps).strip(),
            target=str(target),
        )
        for path, mode, user, group, digest, flags, caps, target in zip(
            paths, *columns[1:], capabilities, targets, strict=True
        )
    ]


def trigger_body(program: str, flags: int, priority: int, text: str) -> str:
    """Return how a trigger's script is compared: with what runs it and when."""
    early = "" if priority == _PRIORITY else f" at {priority}"
    return f"{_head(program, flags)}{early}\n{text.rstrip()}"


def _head(program: str, flags: int) -> str:
    return f"({program or '/bin/sh'}{f', flags {flags}' if flags else ''})"


def _one(tags: Tags, tag: str, default: str | None = None) -> str:
    values = tags.get(tag, () if default is None else (default,))
    if len(values) != 1:
        raise RpmHeaderError(f"has a header with {len(values)} values of {tag} instead of one")
    return str(values[0])


def _number(tags: Tags, tag: str) -> int:
    values = tags.get(tag, (0,))
    if len(values) != 1 or not isinstance(values[0], int):
        raise RpmHeaderError(f"has a header whose {tag} isn't a number")
    return values[0]


def _script(tags: Tags, tag: str) -> str:
    """Return a scriptlet, empty where there is none; an interpreter alone is one too (-p /sbin/ldconfig)."""
    if tag not in tags and f"{tag}PROG" not in tags:
        return ""
    program = " ".join(map(str, tags.get(f"{tag}PROG", ())))
    return f"{_head(program, _number(tags, f'{tag}FLAGS'))}\n{_one(tags, tag, '').rstrip()}"


def _bodies(tags: Tags, family: str) -> list[str]:
    scripts = tags.get(f"{family}SCRIPTS", ())
    count = len(scripts)
    programs = tags.get(f"{family}SCRIPTPROG", ("/bin/sh",) * count)
    flags = tags.get(f"{family}SCRIPTFLAGS", (0,) * count)
    priorities = tags.get(f"{family}PRIORITIES", (_PRIORITY,) * count)
    if not len(programs) == len(flags) == len(priorities) == count:
        raise RpmHeaderError("has a header that lists its triggers incompletely")
    rows = zip(programs, flags, priorities, scripts, strict=True)
    return [trigger_body(str(p), int(f), int(at), str(text)) for p, f, at, text in rows]


def _triggers(tags: Tags, family: str, bodies: Sequence[str]) -> list[str]:
    """Return a sentence for each script, with all that sets it off; conditions without a script as well."""
    columns = [tags.get(f"{family}{part}", ()) for part in ("NAME", "VERSION", "FLAGS", "INDEX")]
    if len({len(column) for column in columns}) != 1:
        raise RpmHeaderError("has a header that lists its triggers incompletely")
    causes: dict[int, list[str]] = {number: [] for number in range(len(bodies))}
    for name, version, flags, index in zip(*columns, strict=True):
        events = " ".join(word for bit, word in _EVENTS.items() if int(flags) & bit)
        cause = f"{family.lower()}{events} {_capability(name, flags, version)}"
        causes.setdefault(int(index), []).append(cause)
    return [
        f"%{', '.join(sorted(causes[number]))} {bodies[number] if number < len(bodies) else '(no script)'}"
        for number in sorted(causes)
    ]


def _relation(tags: Tags, tag: str) -> tuple[str, ...]:
    columns = [tags.get(f"{tag}{part}", ()) for part in ("NAME", "FLAGS", "VERSION")]
    if len({len(column) for column in columns}) != 1:
        raise RpmHeaderError(f"has a header whose {tag}NAME is listed incompletely")
    return tuple(sorted({_capability(*row) for row in zip(*columns, strict=True)}))


def _capability(name: str | int, flags: str | int, version: str | int) -> str:
    operator = _OPERATORS.get(int(flags) & (_LESS | _GREATER | _EQUAL))
    return f"{name} {operator} {version}" if operator else f"{name}{f' ? {version}' if version else ''}"

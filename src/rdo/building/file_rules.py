"""Which paths an RPM may have, and with which rights: those that ``%files`` says."""

from __future__ import annotations

import posixpath
import re
import stat
from collections.abc import Iterator, Mapping, Sequence, Set

from rdo.building.expectation import ExpectedPackage
from rdo.building.rpm_facts import FileFact
from rdo.building.spec_sections import FileRule
from rdo.common.text import printable

# What the lists that a build writes may name (``%files -f``): Python modules, and translations.
_MODULES = re.compile(r"/usr/lib(64)?/python3\.\d+(/site-packages(/.*)?)?", re.DOTALL)
_LOCALES = re.compile(rf"/usr/share/locale(/.*)?|{_MODULES.pattern}/LC_MESSAGES/[^/]+\.mo", re.DOTALL)
# Links by which debuggers find symbols; rpm adds them to what has machine code.
_BUILD_IDS = re.compile(r"/usr/lib(/debug)?/\.build-id(/[0-9a-f]{2}(/[0-9a-f.]+(\.debug)?)?)?")
# Words of paths that are followed for one link; honest ones have some dozen.
_MOST_STEPS = 4096
_SPECIAL = stat.S_ISUID | stat.S_ISGID
_REFUSED = {
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


def file_problems(package: ExpectedPackage, files: Sequence[FileFact]) -> Iterator[str]:
    """Yield what is wrong with the paths of a built package."""
    name = package.facts.name
    links = {file.path: file.target for file in files if stat.S_ISLNK(file.mode)}
    paths = {file.path for file in files}
    for file in files:
        path = printable(file.path)
        rules = [rule for rule in package.rules if rule.covers(file.path)]
        if not rules and not _listed(package, file):
            yield f"{name} has {path}, which its %files doesn't name"
        if "/../" in f"{file.path}/" or not file.path.startswith("/"):
            yield f"{name} has {path}, which isn't a plain path"
        if stat.S_ISLNK(file.mode) and not _leads_inside(file, paths, links, rules):
            yield f"{name} has {path}, a link to {printable(file.target)}, which isn't in the package"
        if what := _REFUSED.get(stat.S_IFMT(file.mode)):
            yield f"{name} has {path}, which is {what}"
        yield from (f"{name}: {path} {what}" for what in _rights(file, rules))


def _leads_inside(
    file: FileFact, paths: Set[str], links: Mapping[str, str], rules: Sequence[FileRule]
) -> bool:
    """Return whether a link leads to a path of the same package, or %files names the link itself.

    A link to elsewhere in a folder that is taken as a whole would be upstream's doing.
    """
    if any(rule.glob == file.path for rule in rules) or _BUILD_IDS.fullmatch(file.path):
        return True
    return bool(file.target) and _followed(file, links) in paths


def _followed(file: FileFact, links: Mapping[str, str]) -> str | None:
    """Return where a link leads as the kernel goes, which follows other links before it takes ``..``.

    A link at the end is not followed: it is looked at by itself. None where links lead in circles.
    """
    place, rest = posixpath.dirname(file.path), file.target.split("/")
    if file.target.startswith("/"):
        place = "/"
    for _ in range(_MOST_STEPS):
        if not rest:
            return place
        word, *rest = rest
        if word in ("", "."):
            continue
        if word == "..":
            place = posixpath.dirname(place)
            continue
        entry = posixpath.join(place, word)
        if any(rest) and entry in links:
            place = "/" if links[entry].startswith("/") else place
            rest = [*links[entry].split("/"), *rest]
        else:
            place = entry
    return None


def _listed(package: ExpectedPackage, file: FileFact) -> bool:
    """Return whether a path is in one of the places that lists may name."""
    if package.facts.arch != "noarch" and _BUILD_IDS.fullmatch(file.path):
        return not stat.S_ISREG(file.mode)
    places = [_LOCALES if name.endswith(".lang") else _MODULES for name in package.lists]
    return any(place.fullmatch(file.path) for place in places)


def _rights(file: FileFact, rules: Sequence[FileRule]) -> Iterator[str]:
    mode = stat.S_IMODE(file.mode)
    if stat.S_ISLNK(file.mode):
        mode = 0o755  # the mode of a link has no meaning
    stated = {rule.mode for rule in rules if rule.mode is not None}
    allowed = mode in stated
    if stated and not allowed and not stat.S_ISLNK(file.mode):
        yield f"has the mode {mode:04o}, not {' or '.join(f'{one:04o}' for one in sorted(stated))}"
    sticky = stat.S_ISDIR(file.mode) and mode & stat.S_ISVTX
    if mode & _SPECIAL and not allowed:
        yield f"has the mode {mode:04o}, setuid or setgid, which its %files doesn't say"
    if mode & stat.S_IWOTH and not sticky and not allowed:
        yield f"has the mode {mode:04o}, so that everybody can write to it, which its %files doesn't say"
    for what, owner, owners in (
        ("user", file.user, {rule.user for rule in rules if rule.user}),
        ("group", file.group, {rule.group for rule in rules if rule.group}),
    ):
        if owner not in (owners or {"root"}):
            yield f"is the {what} {printable(owner)}'s, which its %files doesn't say"
    if file.capabilities and not any(_same(rule.capabilities, file.capabilities) for rule in rules):
        yield f"has the capabilities {printable(file.capabilities)}, which its %files doesn't say"


def _same(stated: str, found: str) -> bool:
    """Compare capabilities, which are written with or without an equals sign before them."""
    return bool(stated) and stated.lstrip("= ") == found.lstrip("= ")

"""Name and version of the Python distributions in built RPMs: what pip and ``importlib.metadata`` see.

The files are taken out of the packages in a sealed root, and known by the hash that the package's header has:
what is looked at is what rpm would install.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from rdo.building.expectation import Expectation
from rdo.building.roots import Layer
from rdo.building.rpm_facts import files_of
from rdo.building.rpm_header import RpmHeaderError, read_header
from rdo.building.sealed import Bind, Limits, Sandbox
from rdo.common.files import sha256_bytes
from rdo.common.text import printable

_PLACE = re.compile(
    r"/usr/lib(?:64)?/python3\.\d+/site-packages/[^/\s]+\.(?:dist-info/METADATA|egg-info(?:/PKG-INFO)?)"
)
# A distribution's folder or file. importlib.metadata and pip find it by its name, whatever is in it.
_FOLDER = re.compile(
    r"(/usr/lib(?:64)?/python3\.\d+/site-packages/([^/]*)\.(?:dist-info|egg-info|egg-link|egg))(?:/.*)?",
    re.DOTALL,
)
_LARGEST = 4 << 20
_LIMITS = Limits(timeout=120.0, space=256 << 20, log=256 << 20)

_TAKE = r"""
cd /tmp
for names in /run/rdo/names/*; do
    rpm=/run/rdo/rpms/${names##*/}.rpm
    mkdir -p "taken/${names##*/}" && cd "taken/${names##*/}" || exit 1
    if command -v rpm2archive >/dev/null; then
        rpm2archive -n - <"$rpm" | tar -x --no-same-owner --verbatim-files-from -T "$names"
    else
        rpm2cpio "$rpm" | cpio --quiet -idm -E "$names"
    fi 2>/dev/null
    cd /tmp
done
exec tar -cf - taken 2>/dev/null
"""


def metadata_problems(
    expected: Expectation, rpms: Mapping[str, Path], layers: Sequence[Layer], scratch: Path, folder: Path
) -> list[str]:
    """Return what is wrong with the names and versions of the distributions in RPMs.

    :param rpms: by file name; those that are not expected are not looked at
    :param layers: of a root that has nothing of upstream's
    :param scratch: where sandboxes keep their folders of links
    :param folder: a folder for what is taken out
    :raises SandboxError: the sandbox or the machine failed
    """
    if not expected.dist:
        return []
    names = {one.facts.filename for one in expected.packages}
    binary = [path for name, path in sorted(rpms.items()) if name in names]
    others = [line for path in binary for line in _misnamed(expected, path)]
    wanted = {path: found for path in binary if (found := _places(path))}
    if not wanted:
        return [*others, f"no package of {expected.package} has the metadata (dist-info) of {expected.dist}"]
    (folder / "rpms").mkdir(parents=True)
    (folder / "names").mkdir()
    binds = [Bind(folder / "names", "/run/rdo/names")]
    for number, (path, found) in enumerate(wanted.items()):
        (folder / "names" / str(number)).write_text("".join(f".{place}\n" for place in found))
        binds.append(Bind(path, f"/run/rdo/rpms/{number}.rpm"))
    taken = folder / "taken.tar"
    Sandbox([layer.path for layer in layers], scratch).run(
        ["/bin/sh", "-c", _TAKE], binds=binds, user="root", log=taken, limits=_LIMITS
    )
    texts = _texts(taken)
    inside = [
        line
        for number, found in enumerate(wanted.values())
        for place, digest in found.items()
        for line in _judged(expected, place, digest, texts.get(f"taken/{number}{place}"))
    ]
    # what is inside says more than the name, which then is another one as well
    return inside or others


def _misnamed(expected: Expectation, rpm: Path) -> list[str]:
    """Return what is wrong with the names of folders of distributions, links among them."""
    try:
        files = files_of(read_header(rpm))
    except RpmHeaderError:
        return []
    found = {match[2]: match[1] for file in files if (match := _FOLDER.fullmatch(file.path))}
    return [
        f"{printable(path)} is named as another distribution's; the pin is {expected.dist} {expected.version}"
        for name, path in sorted(found.items())
        if not _is_named(expected, name)
    ]


def _is_named(expected: Expectation, name: str) -> bool:
    """Return whether NAME, NAME-VERSION or NAME-VERSION-py3.13 are the pin's."""
    dist, _, rest = name.partition("-")
    version = re.sub(r"-py3\.\d+$", "", rest)
    if canonicalize_name(dist) != expected.dist:
        return False
    try:
        return not version or Version(version) == Version(expected.version)
    except InvalidVersion:
        return False


def _places(rpm: Path) -> dict[str, str]:
    """Return where an RPM has metadata of distributions: path -> hash of the content.

    Nothing where it can't be read, which is said elsewhere.
    """
    try:
        files = files_of(read_header(rpm))
    except RpmHeaderError:
        return {}
    return {
        file.path: file.digest
        for file in files
        if file.digest and not file.ghost and _PLACE.fullmatch(file.path)
    }


def _texts(taken: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(taken, "r:") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isreg() and member.size <= _LARGEST else None
                if stream is not None:
                    found[member.name] = stream.read()
    except (tarfile.TarError, OSError, ValueError):
        # what was read is judged; what is missing is said to be missing
        return found
    return found


def _judged(expected: Expectation, place: str, digest: str, text: bytes | None) -> Iterator[str]:
    if text is None or sha256_bytes(text) != digest:
        yield f"{printable(place)} can't be taken out of its package, or isn't what its header says"
        return
    fields, _ = parse_email(text)
    name, version = fields.get("name", ""), fields.get("version", "")
    try:
        same = Version(version) == Version(expected.version)
    except InvalidVersion:
        same = False
    if canonicalize_name(name) != expected.dist or not same:
        yield (
            f"{printable(place)} says {printable(name) or 'no name'} {printable(version) or 'no version'};"
            f" the pin is {expected.dist} {expected.version}"
        )

"""Small parts of a service's packages that need nothing else of it: tags, lines of files, documentation."""

from __future__ import annotations

from rdo.distribution.description import PlacedFile, Service
from rdo.distribution.description import Subpackage as PartOfService
from rdo.packaging import library
from rdo.packaging.prose import wrapped
from rdo.packaging.spec import EVR, Draft, Subpackage


def tag(name: str, value: str) -> str:
    """Return a line of a preamble."""
    return f"{name + ':':<16}{value}"


def further_names(stated: Service | PartOfService | None) -> list[str]:
    """Return the tags of names that a package has, or takes the place of, besides its own."""
    if stated is None:
        return []
    provided = [tag("Provides", f"{item} = {EVR}") for item in stated.provides]
    return [*provided, *(tag("Obsoletes", item) for item in stated.obsoletes)]


def listed(placed: PlacedFile) -> str:
    """Return the line of %files of a placed file."""
    config = "%config(noreplace) " if placed.config else ""
    plain = placed.mode in ("0644", "0755") and placed.owner == placed.group == "root"
    attributes = "" if plain else f"%attr({placed.mode}, {placed.owner}, {placed.group}) "
    return f"{config}{attributes}{placed.target}"


def documentation(draft: Draft) -> Subpackage | None:
    """Return the package with upstream's documentation as it is written; None if the sdist hasn't got it."""
    if not any(name.startswith("doc/source/") for name in draft.inputs.metadata.files):
        return None
    title = draft.inputs.metadata.name
    return Subpackage(
        f"{draft.package}-doc",
        f"Documentation of {title}",
        wrapped(f"The documentation of {title} in its source form, reStructuredText."),
        files=[*(f"%license {name}" for name in library.first_licence(draft)), "%doc doc/source"],
    )

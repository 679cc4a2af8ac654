"""The folder of one repository: its snapshots, which of them is current, and what clients are told."""

from __future__ import annotations

from pathlib import Path

from rdo.common.errors import RdoError
from rdo.common.paths import Paths

# How many addresses a mirrorlist names at most: the current snapshot's and those of the ones before it.
MIRRORS = 10


def folder_of(paths: Paths, platform: str, series: str) -> Path:
    """Return the folder of a platform's and series' repository."""
    return paths.repositories / f"{platform}-{series}"


def current(repository: Path) -> Path | None:
    """Return the current snapshot's folder, None where nothing is published."""
    try:
        target = repository / (repository / "current").readlink()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return target if target.is_dir() else None


def published_snapshot(repository: Path) -> Path | None:
    """Return the folder that ``current`` points to, None where nothing was ever published.

    :raises RdoError: it points to nothing, so that nobody can tell what is published
    """
    found = current(repository)
    link = repository / "current"
    if found is None and link.is_symlink():
        raise RdoError(
            f"{link} points to {link.readlink()}, which is not there.",
            hint="Bring the folder back from a backup, or let the link point to another folder of "
            f"{repository / 'snapshots'}. Without the link, a publication begins with nothing.",
        )
    return found


def snapshots(repository: Path) -> list[Path]:
    """Return the snapshots' folders: the current one, then the others, last replaced first."""
    live = current(repository)
    dated = []
    for folder in (repository / "snapshots").glob("[0-9a-f]*"):
        try:
            dated.append((-folder.stat().st_mtime, folder.name, folder))
        except FileNotFoundError:
            continue  # pruned just now
    others = [folder for _, _, folder in sorted(dated) if folder != live]
    return ([] if live is None else [live]) + others


def mirrorlist(repository: Path, base: str) -> str:
    """Return a mirrorlist's text; ``base`` is the address of the repository's folder, without a slash."""
    return "".join(f"{base}/snapshots/{folder.name}/\n" for folder in snapshots(repository)[:MIRRORS])

"""What a build leaves in its folders of packages, taken out of its root and looked at from outside.

All that lies there is the build user's doing: names, links, pipes, folders. Inside, root copies when no
process of the build is left; nothing is followed and no name plays a part. Outside, only plain files in the
places of rpmbuild are taken, and everything else is a problem with a name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rdo.common.text import printable

#: A build makes some dozen files at most, in RPMS/<architecture> and SRPMS.
_MOST = 1000
_DEEP, _MANY = "too-deep", "too-many"


def copy_script(top: str, out: str) -> str:
    """Return shell text that root runs in the root after a build.

    ``find`` and ``cp`` may be anybody's there; that is why what they do is looked at again.

    :param top: rpmbuild's folder
    :param out: an empty folder that is seen from outside
    """
    return f"""
if [ "$status" = 0 ]; then
    cd {top} || exit 1
    if [ -n "$(find RPMS SRPMS -mindepth 3 -maxdepth 3 -print -quit 2>/dev/null)" ]; then
        : >{out}/{_DEEP}
    elif [ "$(find RPMS SRPMS -maxdepth 2 2>/dev/null | head -n {_MOST} | wc -l)" -ge {_MOST} ]; then
        : >{out}/{_MANY}
    else
        for one in RPMS SRPMS; do
            if [ -e "$one" ] || [ -L "$one" ]; then
                cp -R -P --preserve=timestamps --sparse=always "$one" {out}/ || exit 1
            fi
        done
    fi
fi
"""


def collect(out: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the plain files that a build made, by name, and what is wrong with the rest."""
    if (out / _DEEP).exists():
        return {}, ["it made folders within its folders of packages"]
    if (out / _MANY).exists():
        return {}, [f"it made {_MOST} files or more in its folders of packages"]
    found: dict[str, Path] = {}
    problems = []
    for folder in ("RPMS", "SRPMS"):
        for place in _entries(out / folder):
            name = place.name
            where = printable(str(place.relative_to(out)))
            mode = place.lstat().st_mode
            if place == out / folder or (folder == "RPMS" and place.parent == out / folder):
                if not stat.S_ISDIR(mode):
                    problems.append(f"it made {where}, which is not a folder of packages")
            elif not stat.S_ISREG(mode):
                problems.append(f"it made {where}, which is not a plain file")
            elif not name.endswith(".rpm"):
                problems.append(f"it made {where}, which is not an RPM")
            elif name in found:
                problems.append(f"it made two files of the name {printable(name)}")
            else:
                found[name] = place
    return found, problems


def _entries(folder: Path) -> list[Path]:
    """Return a folder itself and what is in it, without following a link; nothing where it isn't there."""
    if not os.path.lexists(folder):
        return []
    places = [folder]
    for place in places:
        if not place.is_symlink() and place.is_dir():
            places += sorted(place.iterdir())
    return places

"""Licences: from what upstream says, in many ways, to one SPDX expression.

In this order: the package's description; ``License-Expression``; the ``License`` field, if it is SPDX or
one of the spellings below; the wording of the licence file, where the field or classifier is vague ("BSD")
or missing; the classifiers. How it was found is recorded in the spec unless upstream stated it in SPDX.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection
from typing import Any, NamedTuple

from license_expression import ExpressionError, get_spdx_licensing

from rdo.common.errors import RdoError
from rdo.packaging.inspection import Inspection
from rdo.upstream.models import Metadata

_HINT = "State it in distribution/packages/{dist}/package.yaml: licence: {{expression: ..., reason: ...}}"


class LicenceError(RdoError):
    """Upstream doesn't say which licence a package has, or not clearly."""


class Licence(NamedTuple):
    """An SPDX expression, and how it was found where upstream didn't state just that."""

    expression: str
    reason: str | None = None


# Spellings of the License field, lower case, punctuation run together -> SPDX.
_FIELDS = {
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license v2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "apache v2": "Apache-2.0",
    "apache v2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache2.0": "Apache-2.0",
    "asl 2.0": "Apache-2.0",
    "asl2": "Apache-2.0",
    "3-clause bsd": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 3 clause": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd-3": "BSD-3-Clause",
    "modified bsd license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "revised bsd license": "BSD-3-Clause",
    "2-clause bsd": "BSD-2-Clause",
    "2-clause bsd license": "BSD-2-Clause",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "simplified bsd": "BSD-2-Clause",
    "expat": "MIT",
    "mit license": "MIT",
    "the mit license": "MIT",
    "the mit license (mit)": "MIT",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "lgplv2.1+": "LGPL-2.1-or-later",
    "lgplv2+": "LGPL-2.0-or-later",
    "lgplv3+": "LGPL-3.0-or-later",
    "gnu lgpl": "LGPL-2.1-or-later",
    "lgplv3": "LGPL-3.0-only",
    "gplv2+": "GPL-2.0-or-later",
    "gplv3": "GPL-3.0-only",
    "mozilla public license 2.0": "MPL-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "mpl 2.0": "MPL-2.0",
    "mpl": "MPL-2.0",
    "mpl v2": "MPL-2.0",
    "psf": "PSF-2.0",
    "psf license": "PSF-2.0",
    "psfl": "PSF-2.0",
    "python": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "python style": "PSF-2.0",
    "python-style": "PSF-2.0",
    "public domain": "LicenseRef-Fedora-Public-Domain",
    "sil ofl 1.1": "OFL-1.1",
    "unlicense": "Unlicense",
    "zlib": "Zlib",
    "zlib/libpng": "zlib-acknowledgement",
    "zope public license": "ZPL-2.1",
    "zpl": "ZPL-2.1",
    "zpl 2.1": "ZPL-2.1",
}

# XStatic packages carry another project's files and say "(same as X)".
_SAME_AS = {
    "angular.js": "MIT",
    "angular-bootstrap": "MIT",
    "angular-cookies": "MIT",
    "angular-fileupload": "MIT",
    "angularjs": "MIT",
    "bootstrap": "MIT",
    "bootstrap-datepicker": "Apache-2.0",
    "bootswatch": "MIT",
    "d3": "BSD-3-Clause",
    "dagre": "MIT",
    "dagre-d3": "MIT",
    "graphlib": "MIT",
    "hogan": "Apache-2.0",
    "jasmine": "MIT",
    "jquery": "MIT",
    "jquery-migrate": "MIT",
    "jquery-ui": "MIT",
    "jquery.quicksearch": "MIT",
    "jquery.tablesorter": "MIT OR GPL-2.0-or-later",
    "jsencrypt": "MIT",
    "lodash": "MIT",
    "mdi": "OFL-1.1",
    "moment": "MIT",
    "moment-timezone": "MIT",
    "objectpath": "MIT",
    "rickshaw": "MIT",
    "roboto-fontface": "Apache-2.0",
    "smart-table": "MIT",
    "spin": "MIT",
    "term.js": "MIT",
}

_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Zope Public License": "ZPL-2.1",
    "zlib/libpng License": "Zlib",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
}


def spdx_of(metadata: Metadata, inspection: Inspection) -> Licence:
    """Return the SPDX expression of what upstream says.

    :raises LicenceError: it says nothing that can be understood
    """
    if metadata.license_expression:
        return Licence(_checked(metadata.license_expression, metadata.dist))
    field = " ".join((metadata.license or "").split())
    found = (
        _of_field(field)
        or _same_as(field)
        or _of_text(field, metadata, inspection)
        or _of_classifiers(metadata)
    )
    if found is None:
        stated = f"The field says {field[:60]!r}. " if field else ""
        raise LicenceError(
            f"{metadata.dist} {metadata.version} doesn't say which licence it has.",
            hint=stated + _HINT.format(dist=metadata.dist),
        )
    return found


def checked_expression(expression: str) -> str | None:
    """Return an SPDX expression in its usual form, None where it is none."""
    licensing = _licensing()
    try:
        parsed = licensing.parse(expression, validate=True, strict=True)
    except ExpressionError:
        return None
    return _text(parsed) if parsed is not None else None


def require_allowed(licence: Licence, allowed: Collection[str], package: str, project: str) -> None:
    """Do nothing where a licence is allowed: one side of each OR, both sides of each AND.

    An exception (``WITH``) only permits more, so what is allowed without it is allowed with it.

    :param allowed: SPDX identifiers, also ``identifier WITH exception``
    :param package: name and version, for the message
    :param project: the folder of its description, for the hint
    :raises LicenceError: a licence that is not among them has to be kept
    """
    refused = _refused(_licensing().parse(licence.expression), allowed)
    if not refused:
        return
    which = "which" if refused == {licence.expression} else f"of which {', '.join(sorted(refused))}"
    raise LicenceError(
        f"{package} has the licence {licence.expression} ({licence.reason or 'as upstream states it'}),"
        f" {which} is not allowed.",
        hint=f"If that is wrong, state it in distribution/packages/{project}/package.yaml: licence:"
        " {expression: ..., reason: ...}. If the platforms allow it, add it to distribution/licences.yaml."
        " Else the package can't be shipped: exclude it in the package.yaml of what requires it.",
    )


def _refused(expression: Any, allowed: Collection[str]) -> set[str]:
    """Return the licences of a parsed expression that stand in the way."""
    if not expression.args:
        without = getattr(expression, "license_symbol", expression)
        fine = _text(expression) in allowed or _text(without) in allowed
        return set() if fine else {_text(expression)}
    parts = [_refused(part, allowed) for part in expression.args]
    if expression.operator.strip() == "OR" and not all(parts):
        return set()
    return set().union(*parts)


def _text(expression: Any) -> str:
    # The library has Fedora's name of this one as an alias only.
    return str(expression).replace("LicenseRef-scancode-public-domain", "LicenseRef-Fedora-Public-Domain")


def _checked(expression: str, dist: str) -> str:
    checked = checked_expression(expression)
    if checked is None:
        raise LicenceError(
            f"{dist} states the licence {expression!r}, which is no SPDX expression.",
            hint=_HINT.format(dist=dist),
        )
    return checked


@functools.cache
def _licensing() -> Any:
    return get_spdx_licensing()


def _of_field(field: str) -> Licence | None:
    if not field or len(field) > 120:
        return None
    spdx = checked_expression(field) if re.search(r"\d|^(MIT|ISC|Unlicense|Zlib)$", field) else None
    if spdx is not None:
        return Licence(spdx)
    known = _FIELDS.get(field.lower().rstrip("."))
    return None if known is None else Licence(known, f'the metadata say "{field}"')


def _same_as(field: str) -> Licence | None:
    match = re.fullmatch(r"\(?same as (?:for )?(.+?)\)?", field, re.IGNORECASE)
    if match is None:
        return None
    other = re.sub(r"[\s_]+", "-", match.group(1).strip().lower()).removesuffix("-license")
    known = _SAME_AS.get(other)
    return None if known is None else Licence(known, f'the metadata say "{field}"')


def _of_text(field: str, metadata: Metadata, inspection: Inspection) -> Licence | None:
    """Take the licence file's wording, unless the classifiers plainly say something else."""
    if inspection.licence_text is None:
        return None
    identifier, name = inspection.licence_text
    stated = _stated_classifiers(metadata)
    clear = {_CLASSIFIERS[item] for item in stated if item in _CLASSIFIERS}
    if clear and (len(stated) > 1 or identifier not in clear):
        return None
    said = f'the metadata say "{field[:60]}"' if field else "the metadata name none"
    return Licence(identifier, f"by the wording of {name}; {said}")


def _stated_classifiers(metadata: Metadata) -> list[str]:
    rows = (item.split(" :: ") for item in metadata.classifiers if item.startswith("License :: "))
    return [row[-1] for row in rows if row[-1] != "OSI Approved"]


def _of_classifiers(metadata: Metadata) -> Licence | None:
    stated = _stated_classifiers(metadata)
    found = sorted({_CLASSIFIERS[item] for item in stated if item in _CLASSIFIERS})
    if "BSD License" in stated:
        found.append("BSD-3-Clause")
    if not found or any(item not in _CLASSIFIERS and item != "BSD License" for item in stated):
        return None  # to leave one out would be to say less than upstream
    dual = re.search(r"\b(dual|or)\b", metadata.license or "", re.IGNORECASE)
    joined = (" OR " if dual else " AND ").join(sorted(found))
    return Licence(joined, f"by the classifiers {', '.join(stated)}")

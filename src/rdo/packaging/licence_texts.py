"""Recognising common licences by their own wording."""

from __future__ import annotations

import re

# Phrases that must all be there (lower case, blanks run together) -> SPDX identifier; the first match wins.
_WORDINGS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("apache license", "version 2.0", "mozilla public license"), "Apache-2.0 AND MPL-2.0"),
    (("apache license", "version 2.0, january 2004"), "Apache-2.0"),
    (("licensed under the apache license, version 2.0",), "Apache-2.0"),
    (("mozilla public license", "version 2.0"), "MPL-2.0"),
    (("gnu lesser general public license", "version 3"), "LGPL-3.0-or-later"),
    (("gnu lesser general public license", "version 2.1"), "LGPL-2.1-or-later"),
    (("zope public license (zpl) version 2.1",), "ZPL-2.1"),
    (("python software foundation license version 2",), "PSF-2.0"),
    (
        ("permission is hereby granted, free of charge", "the above copyright notice and this permission"),
        "MIT",
    ),
    (("permission to use, copy, modify, and/or distribute this software for any purpose",), "ISC"),
    (
        ("permission to use, copy, modify, and distribute this software for any purpose with",),
        "ISC",
    ),
    (("redistribution and use in source and binary forms", "neither the name"), "BSD-3-Clause"),
    (("redistribution and use in source and binary forms", "names of its contributors"), "BSD-3-Clause"),
    (("redistribution and use in source and binary forms", "may not be used to endorse"), "BSD-3-Clause"),
    (("redistribution and use in source and binary forms",), "BSD-2-Clause"),
    (("this is free and unencumbered software released into the public domain",), "Unlicense"),
    (("cc0 1.0 universal",), "CC0-1.0"),
)


def licence_of_text(text: str) -> str | None:
    """Return the SPDX identifier of a licence text, None where the wording is not known."""
    flat = re.sub(r"[\s*#]+", " ", text).lower()
    for phrases, identifier in _WORDINGS:
        if all(phrase in flat for phrase in phrases):
            return identifier
    return None

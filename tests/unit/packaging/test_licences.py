"""What upstream writes about licences, in its many ways, and the SPDX that it means."""

from __future__ import annotations

import pytest

from rdo.packaging.inspection import Inspection
from rdo.packaging.licence_texts import licence_of_text
from rdo.packaging.licences import LicenceError, spdx_of
from rdo.upstream.models import Metadata

_BSD3 = "Redistribution and use in source and binary forms ... Neither the name of the copyright holder"
_BSD2 = "Redistribution and use in source and\n * binary forms, with or without modification"


def metadata(**fields: object) -> Metadata:
    return Metadata.model_validate({"name": "Thing", "dist": "thing", "version": "1.0"} | fields)


def classified(*names: str) -> tuple[str, ...]:
    return tuple(f"License :: OSI Approved :: {name}" for name in names)


@pytest.mark.parametrize(
    ("field", "expression"),
    [
        ("MIT", "MIT"),
        ("Apache-2.0", "Apache-2.0"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("BSD-3-Clause OR Apache-2.0", "BSD-3-Clause OR Apache-2.0"),
        ("3-Clause BSD License", "BSD-3-Clause"),
        ("(same as jQuery)", "MIT"),
        ("(same as bootstrap)", "MIT"),
        ("LGPLv3+", "LGPL-3.0-or-later"),
    ],
)
def test_license_field(field: str, expression: str) -> None:
    assert spdx_of(metadata(license=field), Inspection()).expression == expression


def test_stated_expression_needs_no_reason() -> None:
    found = spdx_of(metadata(license_expression="MIT AND Python-2.0", license="BSD"), Inspection())
    assert found == ("MIT AND Python-2.0", None)


@pytest.mark.parametrize("field", ["BSD", "UNKNOWN", "", "BSD-derived (http://www.repoze.org/LICENSE.txt)"])
def test_vague_ones_are_settled_by_the_licence_file_and_say_so(field: str) -> None:
    seen = Inspection(licence_text=("BSD-2-Clause", "LICENSE"))
    found = spdx_of(metadata(license=field, classifiers=classified("BSD License")), seen)
    assert found.expression == "BSD-2-Clause"
    assert found.reason is not None
    assert "LICENSE" in found.reason


def test_classifiers_are_the_last_resort() -> None:
    one = spdx_of(metadata(classifiers=classified("MIT License")), Inspection())
    assert one.expression == "MIT"
    both = classified("BSD License", "Apache Software License")
    assert spdx_of(metadata(license="Dual License", classifiers=both), Inspection()).expression == (
        "Apache-2.0 OR BSD-3-Clause"
    )


def test_classifiers_that_say_otherwise_win_over_a_text() -> None:
    seen = Inspection(licence_text=("MIT", "LICENSE"))
    found = spdx_of(metadata(classifiers=classified("Python Software Foundation License")), seen)
    assert found.expression == "PSF-2.0"


def test_nothing_stated_is_an_error_that_names_the_package_and_the_remedy() -> None:
    with pytest.raises(LicenceError) as caught:
        spdx_of(metadata(license="see below"), Inspection())
    assert "thing" in caught.value.what
    assert "packages/thing/package.yaml" in (caught.value.hint or "")


def test_an_invalid_expression_is_refused() -> None:
    with pytest.raises(LicenceError, match="Friendly"):
        spdx_of(metadata(license_expression="Friendly"), Inspection())


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        (_BSD3, "BSD-3-Clause"),
        (_BSD2, "BSD-2-Clause"),
        ("Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("All rights reserved.", None),
    ],
)
def test_wordings(text: str, identifier: str | None) -> None:
    assert licence_of_text(text) == identifier

"""What upstream writes about licences, in its many ways, and the SPDX that it means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rdo.distribution.load import Distribution
from rdo.packaging.inspection import Inspection
from rdo.packaging.licence_texts import licence_of_text
from rdo.packaging.licences import Licence, LicenceError, checked_expression, require_allowed, spdx_of
from rdo.packaging.spec import generate
from rdo.upstream.models import Metadata
from tests.unit.packaging.recorded_packages import DISTRIBUTION, inputs_of, names

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
        ("LGPLv3", "LGPL-3.0-only"),
        ("SIL OFL 1.1", "OFL-1.1"),
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


def test_no_classifier_is_left_out_silently() -> None:
    several = classified("MIT License", "GNU General Public License (GPL)")
    with pytest.raises(LicenceError, match="doesn't say"):
        spdx_of(metadata(classifiers=several), Inspection())


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


_ALLOWED = {"MIT", "BSD-3-Clause", "GPL-3.0-only WITH GCC-exception-3.1", "LicenseRef-Fedora-Public-Domain"}


@pytest.mark.parametrize(
    "expression",
    [
        "MIT",
        "MIT AND BSD-3-Clause",
        "MIT OR SSPL-1.0",
        "BSD-3-Clause AND (SSPL-1.0 OR MIT)",
        "MIT WITH Classpath-exception-2.0",
        "GPL-3.0-only WITH GCC-exception-3.1",
        "LicenseRef-Fedora-Public-Domain",
    ],
)
def test_allowed(expression: str) -> None:
    require_allowed(Licence(expression), _ALLOWED, "thing 1.0", "thing")


@pytest.mark.parametrize(
    ("expression", "which"),
    [
        ("SSPL-1.0", "which"),
        ("MIT AND SSPL-1.0", "of which SSPL-1.0"),
        ("SSPL-1.0 OR BUSL-1.1", "of which BUSL-1.1, SSPL-1.0"),
        ("GPL-3.0-only", "which"),
        ("GPL-3.0-only WITH Classpath-exception-2.0", "which"),
    ],
)
def test_not_allowed_says_what_where_from_and_what_to_do(expression: str, which: str) -> None:
    with pytest.raises(LicenceError) as caught:
        require_allowed(Licence(expression, "by the classifiers X"), _ALLOWED, "thing 1.0", "thing")
    assert caught.value.what == (
        f"thing 1.0 has the licence {expression} (by the classifiers X), {which} is not allowed."
    )
    assert "packages/thing/package.yaml" in (caught.value.hint or "")
    assert "distribution/licences.yaml" in (caught.value.hint or "")


def test_public_domain_keeps_the_name_that_platforms_use() -> None:
    expression = "MIT AND LicenseRef-Fedora-Public-Domain"
    assert checked_expression(expression) == expression


def test_a_spec_is_refused_for_its_licence() -> None:
    inputs = inputs_of("requests")
    generate(replace(inputs, licences=frozenset({"Apache-2.0"})))
    with pytest.raises(LicenceError, match=r"requests .* has the licence Apache-2\.0 .*not allowed"):
        generate(replace(inputs, licences=frozenset({"MIT"})))


def test_the_list_has_spdx_identifiers_and_descriptions_keep_to_it() -> None:
    distribution = Distribution.load(DISTRIBUTION)
    listed = distribution.licences()
    assert listed
    assert [name for name in sorted(listed) if checked_expression(name) != name] == []
    for project, description in distribution.packages().items():
        if description.licence is not None:
            assert checked_expression(description.licence.expression) == description.licence.expression
            require_allowed(Licence(description.licence.expression), listed, project, project)
    for name in names():
        generate(replace(inputs_of(name), licences=listed))

"""What is worked out for services' configuration."""

from __future__ import annotations

from rdo.packaging.inspection import Inspection
from rdo.packaging.service_config import generated


def test_a_stated_input_makes_the_stated_file_alone() -> None:
    found = Inspection(config_generators=(("etc/x/x.conf", "etc/x/x.conf"), ("etc/x/y.conf", "y.conf")))
    made = generated(found, "x", {"etc/x/x.conf": "x-api.conf"}, ["etc/x/x.conf", "etc/x/y.conf"])
    assert [(one.source, one.target, one.schema) for one in made] == [
        ("etc/x/x.conf", "x-api.conf", "x-api-schema.yaml"),
        ("etc/x/y.conf", "y.conf", "y-schema.yaml"),
    ]

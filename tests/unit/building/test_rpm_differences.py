from __future__ import annotations

from rdo.building.rpm_differences import compare_headers


def test_headers_are_compared_by_tag_and_by_file() -> None:
    one = {
        "Name": ["pbr"],
        "Buildtime": ["1"],
        "Sha256header": ["x"],
        "Dirnames": ["/usr/bin/", "/usr/lib/"],
        "Dirindexes": ["0", "1"],
        "Basenames": ["pbr", "a.py"],
        "Filedigests": ["11", "22"],
        "Filemtimes": ["5", "5"],
    }
    other = {**one, "Buildtime": ["2"], "Sha256header": ["y"], "Filedigests": ["11", "33"]}
    assert compare_headers(one, other) == ["Buildtime: 1 / 2", "/usr/lib/a.py: Filedigests 22 / 33"]
    assert compare_headers(one, one) == []

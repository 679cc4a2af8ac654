"""Options against the schemas of packages: what a service would not read is said before it is written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import createrepo_c
import pytest

from rdo.cloud import repositorykey
from rdo.cloud.optionschema import check_options, mistakes, parse_schema
from rdo.cloud.plan import Config, Plan, Stage
from rdo.cloud.texts import Text
from rdo.cloud.topology import Cloud
from rdo.common.errors import RdoError
from rdo.common.files import write_atomically
from rdo.common.openpgp import BadSignatureError
from rdo.common.paths import Paths
from rdo.common.progress import SilentProgress
from rdo.distribution.load import Distribution
from rdo.repository import keys
from tests.settings import installation_of

SCHEMA = """\
deprecated_options:
  DEFAULT:
  - {name: old-name, replacement_group: api, replacement_name: new-name}
generator_options: {}
options:
  DEFAULT:
    opts:
    - &o {name: debug, type: boolean value, choices: [], min: null, max: null,
       deprecated_for_removal: false, deprecated_since: null}
    - {<<: *o, name: enabled_backends, type: list value}
  api:
    opts:
    - {<<: *o, name: new-name, type: integer value, min: 1, max: 8}
    - {<<: *o, name: port, type: port value}
    - {<<: *o, name: factor, type: floating point value}
    - {<<: *o, name: version, type: integer value, choices: [[4, null], [6, null]]}
    - {<<: *o, name: address, type: IP address value}
    - {<<: *o, name: host, type: host address value}
    - {<<: *o, name: url, type: uri value}
    - {<<: *o, name: sizes, type: dict value}
    - {<<: *o, name: way, type: string value, choices: [[fast, null], [safe, "the default"]]}
    - {<<: *o, name: going, type: string value, deprecated_for_removal: true, deprecated_since: 2024.1}
  backend_defaults:
    opts:
    - {<<: *o, name: volume_driver, type: string value}
  keystone_authtoken:
    opts:
    - {<<: *o, name: auth_type, type: unknown value}
"""


def found(options: dict[str, dict[str, str]], project: str = "cinder", *, known: str = "cinder") -> list[str]:
    step = Config(
        id="c",
        title="c",
        stage=Stage.CONFIGURATION,
        path="/etc/c/c.conf",
        project=project,
        group_owner="c",
        options={s: {n: Text(v) for n, v in rows.items()} for s, rows in options.items()},
    )
    rows = mistakes(Plan(host="one", steps=(step,)), {known: parse_schema(SCHEMA)})
    return [f"[{row.section}] {row.option}: {row.message}" for row in rows]


@pytest.mark.parametrize(
    ("section", "option", "value", "message"),
    [
        ("DEFAULT", "debug", "True", None),
        ("api", "version", "6", None),
        ("api", "version", "5", "none of 4, 6"),
        ("api", "new_name", "", None),
        ("api", "way", "FAST", None),
        ("api", "address", "192.0.2.7", None),
        ("api", "address", "", None),
        ("api", "address", "192.0.2", "no address"),
        ("api", "host", "one.example.org", None),
        ("api", "host", "2001:db8::7", None),
        ("api", "host", "192.0.2.700", "neither an address nor the name of a host"),
        ("api", "host", "one two", "neither an address nor the name of a host"),
        ("api", "url", "https://example.org:5000/v3", None),
        ("api", "url", "file:///var/lib/x", None),
        ("api", "url", "example.org/v3", "no URI: it lacks its scheme"),
        ("api", "url", "http://[::1", "no URI: Invalid IPv6 URL"),
        ("api", "sizes", "a:1, b:2", None),
        ("api", "sizes", "a:1, b", "'b' is no KEY:VALUE"),
        ("DEFAULT", "debug", "yess", "neither true nor false"),
        ("DEFAULT", "old_name", "1", "it is called [api] new_name now"),
        ("DEFAULT", "port", "1", "there is no such option; it is in [api]"),
        ("api", "new_name", "8", None),
        ("api", "new-name", "9", "not between 1 and 8"),
        ("api", "new_name", "many", "no integer"),
        ("api", "new_name", "$other", None),
        ("api", "port", "70000", "not between 0 and 65535"),
        ("api", "factor", "1.5", None),
        ("api", "factor", "x", "no floating point"),
        ("api", "way", "safe", None),
        ("api", "way", "slow", "none of fast, safe"),
        ("api", "going", "x", "it is deprecated since 2024.1"),
        ("none", "x", "1", "there is no section [none]"),
        ("keystone_authtoken", "password", "x", None),
        ("keystone_authtoken", "pasword", "x", "there is no such option"),
        ("service_user", "auth_type", "password", None),
    ],
)
def test_each_option(section: str, option: str, value: str, message: str | None) -> None:
    assert found({section: {option: value}}) == (
        [] if message is None else [f"[{section}] {option}: {message}"]
    )


def test_sections_of_back_ends_have_the_options_of_back_ends() -> None:
    options = {"DEFAULT": {"enabled_backends": "one, two"}, "two": {"volume_driver": "x", "vol_driver": "y"}}
    assert found(options) == ["[two] vol_driver: there is no such option"]
    del options["DEFAULT"]
    assert found(options)[0] == "[two] volume_driver: there is no section [two]"


def test_sections_that_are_called_like_devices_or_protocols() -> None:
    def rows(project: str, options: dict[str, dict[str, str]]) -> list[str]:
        return found(options, project, known=project)

    assert rows("nova", {"mdev_nvidia-35": {"max_instances": "2"}}) == []
    assert rows("nova", {"vgpu_a": {"max_instance": "2"}}) == [
        "[vgpu_a] max_instance: there is no such option"
    ]
    openid = {"openid": {"remote_id_attribute": "HTTP_OIDC_ISS"}}
    assert rows("keystone", openid) == ["[openid] remote_id_attribute: there is no section [openid]"]
    methods = {"auth": {"methods": "password,openid"}}
    assert "openid" not in " ".join(rows("keystone", {**methods, **openid}))


def test_a_project_without_a_schema_is_passed_over(tmp_path: Path) -> None:
    assert found({"any": {"thing": "x"}}, project="other") == []


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve the test's folder by HTTP."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
def test_a_repository_elsewhere_is_read_only_if_its_key_signed_it(tmp_path: Path, address: str) -> None:
    """Packages are unpacked here as root: what stands between must not choose which."""
    data = Path(__file__).parents[3] / "distribution"
    paths, other = (Paths(tmp_path / name, tmp_path / name / "cache", data) for name in ("here", "there"))
    platform = Distribution.load(data).platform("debian13")
    place = tmp_path / "debian13-2026.1/current"
    place.mkdir(parents=True)
    with createrepo_c.RepositoryWriter(str(place)) as writer:
        writer.set_num_of_pkgs(0)
    host = {"name": "one", "address": "192.0.2.1", "roles": ["controller"]}
    cloud = Cloud.model_validate({"repository": address, "services": ["keystone"], "hosts": [host]})
    key = keys.create(paths)
    write_atomically(repositorykey.kept(paths, cloud), key.public)
    repomd = place / "repodata/repomd.xml"

    def check() -> None:
        check_options([], cloud, "2026.1", platform, installation_of(paths), SilentProgress())

    with pytest.raises(RdoError, match=f"is not signed .*{key.fingerprint}"):
        check()
    repomd.with_suffix(".xml.asc").write_text(keys.create(other).sign_detached(repomd.read_bytes()))
    with pytest.raises(BadSignatureError, match=key.fingerprint):
        check()
    repomd.with_suffix(".xml.asc").write_text(key.sign_detached(repomd.read_bytes()))
    check()

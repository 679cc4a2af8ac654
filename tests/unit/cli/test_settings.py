"""Where settings come from, which of them counts, and what is said of those that can't be right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdo.cli.hidden_secrets import has_secret, without_secrets
from rdo.cli.installation import ReadSettings, open_installation, read_settings
from rdo.cli.settings_sources import EnvironmentSettings, unknown_variables, variables_of
from rdo.common.errors import InputError
from rdo.common.settings import Settings
from rdo.upstream.index_settings import IndexSettings
from tests.installation import CHECKOUT, command


def read(**environ: str) -> ReadSettings:
    """Read settings in an environment of nothing else; the machine's own files are kept out."""
    return read_settings({"RDO_SETTINGS": os.devnull, "PIP_CONFIG_FILE": os.devnull, **environ})


def refused(file: Path, **environ: str) -> str:
    with pytest.raises(InputError) as caught:
        read(RDO_SETTINGS=str(file), **environ)
    assert caught.value.exit_status == 2
    return caught.value.diagnostics()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "settings.yaml"
    place.touch(mode=0o600)
    return place


#: Of each setting a value as users say it.
SAID = {
    "home": "/srv/home",
    "state": "/srv/state",
    "cache": "/srv/cache",
    "distribution": str(CHECKOUT / "distribution"),
    "release": "2026.1",
    "database": "sqlite:////srv/x.sqlite",
    "store": "memory://store",
    "debian_mirror": "http://deb.example.org/debian",
    "el_mirror": "https://el.example.org/",
    "el_key": "/srv/key",
    "index_url": "https://index.example.org/simple",
    "index_certificates": "/srv/ca.pem",
    "http_proxy": "http://proxy:3128",
    "https_proxy": "http://proxy:3129",
    "no_proxy": "localhost",
}


def test_every_setting_has_a_value_here() -> None:
    assert SAID.keys() == EnvironmentSettings.model_fields.keys()


@pytest.mark.parametrize("name", [name for name in SAID if name != "home"])
def test_each_setting_is_read_from_each_place(name: str, file: Path) -> None:
    file.write_text(f"# a comment\n{name}: {SAID[name]}\n")
    found = read(RDO_SETTINGS=str(file))
    assert (str(getattr(found.settings, name)), found.origins[name]) == (SAID[name], f"{file}:2")
    for variable in variables_of(name):
        file.write_text(f"{name}: /from/the/file\n" if name != "distribution" else "")
        found = read(RDO_SETTINGS=str(file), **{variable: SAID[name]})
        assert (str(getattr(found.settings, name)), found.origins[name]) == (SAID[name], variable)


def test_names_of_variables_are_those_of_always() -> None:
    """What users have in their scripts keeps its meaning."""
    ours = [
        "HOME",
        "CACHE",
        "DISTRIBUTION",
        "RELEASE",
        "DATABASE",
        "STORE",
        "DEBIAN_MIRROR",
        "EL_MIRROR",
        "EL_KEY",
    ]
    theirs = ["PIP_INDEX_URL", "PIP_CERT", "http_proxy", "https_proxy", "no_proxy"]
    known = {variable for name in EnvironmentSettings.model_fields for variable in variables_of(name)}
    assert {*(f"RDO_{name}" for name in ours), *theirs} <= known


@pytest.mark.parametrize(
    ("environ", "state", "cache"),
    [
        ({"RDO_HOME": "/h"}, "/h/state", "/h/cache"),
        ({"RDO_HOME": "/h", "RDO_CACHE": "/c"}, "/h/state", "/c"),
        ({"RDO_HOME": "/h", "RDO_STATE": "/s", "RDO_CACHE": ""}, "/s", "/h/cache"),
        ({"RDO_CACHE": "/c"}, "/file/state", "/c"),
        ({}, "/file/state", "/elsewhere"),
    ],
)
def test_home_moves_state_and_cache(file: Path, environ: dict[str, str], state: str, cache: str) -> None:
    """The environment's home wins over the file's cache: who says RDO_HOME wants all of it there."""
    file.write_text("cache: /elsewhere\nhome: /file\n")
    settings = read(RDO_SETTINGS=str(file), **environ).settings
    assert (str(settings.state), str(settings.cache)) == (state, cache)


def test_usual_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert str(read(HOME="/root", XDG_STATE_HOME="/x").settings.state) == "/var/lib/rdo"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = read(HOME="/home/me", XDG_STATE_HOME="/x")
    assert (str(found.settings.state), found.origins["state"]) == ("/x/rdo", "XDG_STATE_HOME")
    assert (str(found.settings.cache), found.origins["cache"]) == ("/home/me/.cache/rdo", "default")


def test_a_users_file_counts_before_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / ".config/rdo/settings.yaml"
    place.parent.mkdir(parents=True)
    place.write_text("release: 2025.2\n")
    environ = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert read_settings(environ).origins["release"] == f"{place}:1"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "release" not in read_settings(environ).origins, (
        "root reads no file of a home that may be another's"
    )


def test_relative_paths_are_from_the_file(file: Path) -> None:
    file.write_text("cache: there\nstore: objects\nel_mirror: ../el\nindex_certificates: ca.pem\n")
    settings = read(RDO_SETTINGS=str(file)).settings
    folder = file.parent
    assert (settings.cache, settings.index_certificates) == (folder / "there", folder / "ca.pem")
    assert (settings.store, settings.el_mirror) == (str(folder / "objects"), str(folder / "../el"))


def test_all_mistakes_are_said_with_their_places(file: Path) -> None:
    file.write_text("relaese: 2026.1\n\nstore: {a: b}\ndistribution: /nowhere\ncache: ''\n")
    said = refused(file, RDO_DATABASE="opensesame")
    assert said.startswith("5 mistakes in the settings:")
    assert f"{file}:1: there is no setting 'relaese'; nearest: release" in said
    assert f"{file}:3: store should be a text" in said
    assert f"{file}:4: distribution: /nowhere isn't a folder" in said
    assert f"{file}:5: cache should be a text" in said
    assert "RDO_DATABASE: database: it should be an address" in said
    assert "opensesame" not in said


@pytest.mark.parametrize("text", [r"/tmp/a\0b", r"/tmp/a\nb", r"/tmp/\e[2J"])
def test_settings_are_of_one_line(file: Path, text: str) -> None:
    file.write_text(f'state: "{text}"\nrelease: "{text}"\n')
    said = refused(file)
    assert f"{file}:1: state: it has control characters" in said
    assert f"{file}:2: release: it has control characters" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("cache: /a\nstore: [x\n", 3),
        ("- a\n", 0),
        ("a\n", 0),
        ("cache: /a\ncache: /b\n", 2),
        ("a: b: c\n", 1),
        ("\tx: 1\n", 1),
    ],
)
def test_what_is_no_settings_file(file: Path, text: str, line: int) -> None:
    file.write_text(text)
    assert f"{file}:{line}:" in refused(file) if line else f"{file}: " in refused(file)


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "nothing.yaml")
    assert "can't be read" in refused(tmp_path)
    (tmp_path / "latin").write_bytes(b"cache: /caf\xe9\n")
    assert "not UTF-8" in refused(tmp_path / "latin")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_file_without_settings(file: Path, text: str) -> None:
    file.write_text(text)
    assert read(RDO_SETTINGS=str(file)).settings.release is None


def test_passwords_are_for_nobody_else(file: Path) -> None:
    file.write_text("database: postgresql+psycopg://rdo:opensesame@db/rdo\n")
    assert read(RDO_SETTINGS=str(file)).settings.database is not None
    file.chmod(0o644)
    said = refused(file)
    assert f"chmod 600 {file}" in said and "opensesame" not in said
    file.write_text("database: postgresql+psycopg://rdo@db/rdo\n")
    assert read(RDO_SETTINGS=str(file)).settings.database is not None


def test_index_is_pips_where_nobody_says_otherwise(tmp_path: Path, file: Path) -> None:
    conf, authorities = tmp_path / "pip.conf", tmp_path / "ca.pem"
    authorities.write_text("")
    conf.write_text(f"[global]\nindex_url = https://mirror.example/simple\ncert = {authorities}\n")
    env = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(conf), "XDG_CONFIG_DIRS": str(tmp_path)}
    found = read(**env)
    assert IndexSettings.of(found.settings) == IndexSettings("https://mirror.example/simple", authorities)
    assert found.origins["index_url"] == str(conf)
    file.write_text("index_url: https://file.example/simple\n")
    assert read(RDO_SETTINGS=str(file), **env).settings.index_url == "https://file.example/simple"
    env["PIP_INDEX_URL"] = "https://other.example/simple"
    assert read(RDO_SETTINGS=str(file), **env).settings.index_url == "https://other.example/simple"


def test_variables_that_look_like_settings() -> None:
    environ = {
        "RDO_STROE": "x",
        "RDO_PASSWORD_ADMIN": "x",
        "RDO_TOP": "/x",
        "RDO_SETTINGS": "x",
        "STORE": "x",
    }
    assert [name for name, _ in unknown_variables(environ)] == ["RDO_STROE"]


@given(st.sampled_from(["u", "", "rdo-1"]), st.text("abcXYZ0189!$&'()*+,;=:._~%-", min_size=8))
def test_no_password_is_shown(user: str, password: str) -> None:
    text = f"postgresql+psycopg://{user}:{password}@db.example.org:5432/rdo?sslmode=require"
    assert f":{password}@" not in without_secrets(text)
    assert without_secrets(text).endswith("@db.example.org:5432/rdo?sslmode=require")
    assert has_secret([text])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://token@index.example.org/simple", "https://***@index.example.org/simple"),
        (
            "postgresql+psycopg://rdo@/rdo?password=x&host=/run",
            "postgresql+psycopg://rdo@/rdo?password=***&host=/run",
        ),
        ("s3://bucket/rdo", "s3://bucket/rdo"),
        ("/srv/a:b@c", "/srv/a:b@c"),
        ("http://[::1]:3128", "http://[::1]:3128"),
    ],
)
def test_what_is_shown_of_addresses(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_nothing_of_settings_shows_secrets_by_chance() -> None:
    settings = read(
        RDO_DATABASE="postgresql+psycopg://u:opensesame@h/x", http_proxy="http://u:opensesame@p"
    ).settings
    assert "opensesame" not in repr(settings) + repr(open_installation({"RDO_SETTINGS": os.devnull}))


def test_proxies_of_the_file_are_those_of_programs_and_libraries(file: Path) -> None:
    file.write_text("http_proxy: http://proxy:3128\nno_proxy: localhost\n")
    script = (
        "import json, os, urllib.request\n"
        "from rdo.cli.installation import open_installation\n"
        "from rdo.common.process import run\n"
        "installation = open_installation()\n"
        "seen = [urllib.request.getproxies()['http'], run(['sh', '-c', 'echo $http_proxy']).stdout.strip()]\n"
        "print(json.dumps([*seen, installation.settings.proxies]))\n"
    )
    environment = {"PATH": os.environ["PATH"], "RDO_SETTINGS": str(file), "no_proxy": "example.org"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
    proxies = {"http_proxy": "http://proxy:3128", "no_proxy": "example.org"}
    assert json.loads(done.stdout) == ["http://proxy:3128", "http://proxy:3128", proxies]


def settings_command(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull, **environ}
    return subprocess.run(
        command("settings", *arguments),
        env=environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_command_shows_values_and_where_they_are_from(file: Path) -> None:
    file.write_text("release: 2025.2\nhttp_proxy: http://me:opensesame@proxy:3128\n")
    stated = {"RDO_SETTINGS": str(file), "RDO_HOME": "/h", "RDO_STROE": "x"}
    done = settings_command("--json", **stated)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["files"] == [str(file)]
    assert shown["settings"]["release"] == {"value": "2025.2", "from": f"{file}:1"}
    assert shown["settings"]["cache"] == {"value": "/h/cache", "from": "RDO_HOME"}
    assert shown["settings"]["http_proxy"] == {"value": "http://me:***@proxy:3128", "from": f"{file}:2"}
    assert shown["settings"].keys() == Settings.model_fields.keys()
    assert "RDO_STROE is not a setting; nearest: RDO_STORE" in done.stderr
    plain = settings_command(**stated).stdout
    assert f"{file}:1" in plain and "opensesame" not in plain + done.stdout


def test_every_command_says_what_is_wrong(file: Path) -> None:
    file.write_text("stores: /x\n")
    done = settings_command(RDO_SETTINGS=str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{file}:1: there is no setting 'stores'; nearest: store" in done.stderr


def test_help_reads_no_settings_and_loads_nothing_for_them() -> None:
    script = (
        "import sys\nfrom rdo.cli.main import main\n"
        "try:\n    main(['build', '--help'])\nfinally:\n"
        "    assert not {'pydantic_settings', 'sqlalchemy', 'yaml'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

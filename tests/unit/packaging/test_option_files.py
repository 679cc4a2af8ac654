"""The script that specs carry to run oslo's generators, with stand-ins for the generators."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from rdo.packaging import service
from rdo.packaging.spec import generate
from tests.unit.packaging.recorded_packages import inputs_of

SCRIPT = Path(service.__file__).parent / "carried" / "option_files.py"

GENERATOR = """
import sys
def main(args):
    source, output = args[1], args[3]
    if "bad" in source:
        raise SystemExit(3)
    if "command" in source:
        import yaml
        return open(output, "w").write(yaml.safe_dump(dict(handler=main)))
    text = " ".join(["{kind}", *args[4:], sys.argv[0], str("thing" in sys.modules)])
    if "choices" in source:
        text = " ".join(set("sha1 sha256 sha512 md5 blake2b sha3_256 shake_128 sha224".split()))
    open(output, "w").write(text)
    sys.modules["other"] = sys
"""


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    for package, name, kind in (
        ("oslo_config", "main", "options"),
        ("oslo_policy", "generate_sample", "policy"),
    ):
        (folder / package).mkdir(exist_ok=True)
        (folder / package / "__init__.py").touch()
        (folder / package / "generator.py").write_text(GENERATOR.format(kind=kind) + f"{name} = main\n")
    (folder / "thing.py").write_text("def options(): pass\n")
    (folder / "thing-1.dist-info").mkdir(exist_ok=True)
    (folder / "thing-1.dist-info" / "METADATA").write_text("Name: thing\nVersion: 1\n")
    (folder / "thing-1.dist-info" / "entry_points.txt").write_text(
        "[oslo.config.opts]\nthing = thing:options\nlost = lost:options\n"
    )
    (folder / "in.conf").write_text("[DEFAULT]\nnamespace = thing\nnamespace = lost\n")
    (folder / "bad.conf").write_text("[DEFAULT]\n")
    (folder / "command.conf").write_text("[DEFAULT]\n")
    (folder / "choices.conf").write_text("[DEFAULT]\n")
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **variables},
        capture_output=True,
        text=True,
    )


def test_each_output_is_made_by_its_generator_with_the_modules_loaded(tmp_path: Path) -> None:
    done = run(tmp_path, "in.conf", "a.conf", "in.conf", "a-schema.yaml", "in.conf", "policy.yaml.sample")
    assert done.returncode == 0, done.stderr
    assert "lost" in done.stderr, "what can't be imported is said"
    assert (tmp_path / "a.conf").read_text() == "options oslo-config-generator True"
    assert (tmp_path / "a-schema.yaml").read_text() == "options --format yaml oslo-config-generator True"
    alone = (tmp_path / "policy.yaml.sample").read_text()
    assert alone == "policy oslo-config-generator False", "it sees nothing of what options need"


def test_options_of_commands_have_a_place_in_schemas(tmp_path: Path) -> None:
    done = run(tmp_path, "command.conf", "c-schema.yaml")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "c-schema.yaml").read_text() == "handler: null\n"


def test_a_generator_that_fails_ends_it(tmp_path: Path) -> None:
    done = run(tmp_path, "bad.conf", "b.conf", "in.conf", "a.conf")
    assert done.returncode != 0
    assert "b.conf could not be made from bad.conf" in done.stderr
    assert not (tmp_path / "a.conf").exists()


def test_what_is_made_of_sets_is_the_same_each_time(tmp_path: Path) -> None:
    """Ironic's choices of a hash are a set: its files differed from build to build."""
    install = generate(inputs_of("keystone")).text.partition("\n%install\n")[2].partition("\n%check\n")[0]
    before = install.partition("option_files")[0].partition("%{SOURCE")[0]
    variables = dict(re.findall(r"^export (\w+)=(\S+)$", before, re.MULTILINE))
    found = set()
    for _ in range(4):
        done = run(tmp_path, "choices.conf", "c.conf", **variables)
        assert done.returncode == 0, done.stderr
        found.add((tmp_path / "c.conf").read_text())
    assert len(found) == 1

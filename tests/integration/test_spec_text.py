"""What the real rpm makes of specs whose texts and names are hostile."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from rdo.building.roots import Root, ensure_build_root, ensure_grown
from rdo.building.sealed import Bind, SealedResult
from rdo.common.paths import Paths
from rdo.distribution.load import Distribution
from rdo.packaging.prose import description_of, summary_of
from rdo.packaging.spec_quoting import documents, listed_path
from tests.hostile_sources import TRACE, Case, cases
from tests.integration.repository_tools import paths_in
from tests.settings import installation_of

pytestmark = [pytest.mark.root, pytest.mark.mirror]

_TAGS = " ".join(
    f"%|{tag}?{{{tag}}}|"
    for tag in ("PREIN", "POSTIN", "PREUN", "POSTUN", "PRETRANS", "POSTTRANS", "VERIFYSCRIPT", "TRIGGERNAME")
)
_QUERY = f"@@%{{NAME}}@@%{{SUMMARY}}@@%{{DESCRIPTION}}@@[%{{PROVIDES}} ][%{{OBSOLETES}} ]{_TAGS}@@@"
_PARSE = f"""
mkdir /tmp/out
for spec in /in/*.spec; do
    name=$(basename $spec .spec)
    rpmspec -q --qf '{_QUERY}' $spec >/tmp/out/$name 2>/tmp/out/$name.error || echo $name >>/tmp/out/failed
    [ ! -e {TRACE} ] || {{ echo $name >>/tmp/out/traces; rm -rf {TRACE}; }}
done
"""
_BUILD = """
set -e
T=/builddir/build
mkdir -p $T/SOURCES $T/SPECS /tmp/out
cp -r /in/. $T/SOURCES
for spec in $T/SOURCES/*.spec; do
    rpmbuild -bb --nodeps --without check --define "_topdir $T" $spec
done
query() { rpm --dbpath /tmp/db -qp --qf "$@"; }
for rpm in $(find $T/RPMS -name '*.rpm'); do
    name=$(query '%{NAME}' $rpm)
    query '[%{FILENAMES}\\n]' $rpm >/tmp/out/$name.files
    query '%{SUMMARY}@@%{DESCRIPTION}' $rpm >/tmp/out/$name.text
done
"""


class Bench:
    """A build root with setuptools."""

    def __init__(self, folder: Path) -> None:
        self.paths: Paths = paths_in(folder)
        platform = Distribution.load(self.paths.distribution).platform("debian13")
        base = ensure_build_root(platform, installation_of(self.paths))
        needed = ["gettext", "python3-setuptools", "python3-wheel"]
        self.root: Root = ensure_grown(
            base, needed, installation_of(self.paths), title="Layer for tests of specs"
        )

    def run(self, script: str, folder: Path) -> SealedResult:
        """Run a script over ``folder/in``; what it lays in /tmp/out comes to ``folder/out``."""
        out = folder / "out"
        out.mkdir()
        return self.root.sandbox(self.paths).run(
            ["bash", "-c", script],
            binds=[Bind(folder / "in", "/in"), Bind(out, "/out", writable=True)],
            after="cp -r /tmp/out/. /out/",
            log=folder / "log",
        )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


def some_cases(count: int) -> list[Case]:
    found: list[Case] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(refused=False))
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


def test_rpm_finds_in_hostile_specs_what_their_twins_have(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    chosen = [
        *some_cases(60),
        Case({"summary": "%build a thing \\%{", "description": ""}, is_service=True),
        Case(
            {"description": "%include /etc/passwd is what this library calls its first phase."},
            is_service=False,
        ),
        Case({"summary": "ends in \\", "description": f"%(touch {TRACE}) \\"}, is_service=False),
    ]
    prose = []
    for number, case in enumerate(chosen):
        with tempfile.TemporaryDirectory() as folder:
            metadata = case.metadata(Path(folder))
            prose.append((summary_of(metadata), description_of(metadata)))
            (tmp_path / "in" / f"{number}.spec").write_text(case.spec(Path(folder)).text)
            (tmp_path / "in" / f"{number}-twin.spec").write_text(case.twin.spec(Path(folder)).text)
    result = bench.run(_PARSE, tmp_path)
    assert result.ok, result.tail
    out = tmp_path / "out"
    for name in ("failed", "traces"):
        numbers = (out / name).read_text().split() if (out / name).exists() else []
        assert not numbers, [
            (chosen[int(n)], (out / f"{n}.error").read_text()) for n in numbers if n.isdigit()
        ]
    for number, (case, texts) in enumerate(zip(chosen, prose, strict=True)):
        packages, twins = (
            [row.split("@@") for row in (out / name).read_text().split("@@@")[:-1]]
            for name in (f"{number}", f"{number}-twin")
        )
        assert [(one[1], one[4]) for one in packages] == [(one[1], one[4]) for one in twins], case
        found = {one[1]: (one[2], one[3]) for one in packages}
        assert found["python3-oslo-log"] == texts, case


NAMES = [f"a{one}b" for one in "!\"#$%&'()*+,-.:;<=>?@[\\]^_`{|}~ "]
NAMES += [
    "[b] 50% off.txt",
    'it\'s "quoted".txt',
    "a;b&c $HOME `id`.txt",
    "Grüße-日本.txt",
    "{a,b}",
    "%{name}",
]
NAMES += ["  lead", "trail ", "back\\", '"q" r', "%%", "%install", "(x)", "~t", "*"]


def test_names_of_files_mean_themselves_to_rpm(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for folder in ("data", "doc"):
        (tmp_path / "in" / folder).mkdir()
        for name in NAMES:
            (tmp_path / "in" / folder / name).write_text(name)
    written = [f"/usr/share/x/{listed_path(name)}" for name in NAMES]
    docs = [f"%doc {name}" for name in documents(f"doc/{name}" for name in NAMES)]
    spec = (
        "Name: x\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\nBuildArch: noarch\n%description\nx\n"
        "%prep\ncp -r %{_sourcedir}/doc .\n%install\nmkdir -p %{buildroot}/usr/share\n"
        "cp -r %{_sourcedir}/data %{buildroot}/usr/share/x\ntouch %{buildroot}/usr/share/x/other\n"
        "rm %{buildroot}/usr/share/x/other\n"
        "%files\n%dir /usr/share/x\n" + "\n".join([*written, *docs]) + "\n"
    )
    (tmp_path / "in" / "x.spec").write_text(spec)
    result = bench.run(_BUILD, tmp_path)
    assert result.ok, result.tail
    found = (tmp_path / "out" / "x.files").read_text().splitlines()
    assert sorted(
        one.removeprefix("/usr/share/x/") for one in found if one.startswith("/usr/share/x/")
    ) == sorted(NAMES)
    folder = "/usr/share/doc/x-1/"
    expected = [name for name in NAMES if "'" not in name]
    assert sorted(one.removeprefix(folder) for one in found if one.startswith(folder)) == sorted(expected)


def test_a_package_of_hostile_texts_and_names_is_built(bench: Bench, tmp_path: Path) -> None:
    sentence = "is what this library calls its first phase here, and what is said of it is a sentence."
    case = Case(
        {
            "summary": "%build a %{nil} thing from $(parts)",
            "description": f"%include /etc/passwd {sentence}",
            "data": "[1] 50% 'q' \"r\" $(x).txt",
            "module": "a b[c] 'd' %{name}",
            "licence file": "{1} & 2",
            "tests": "t [x] %(y)",
            "locale": "l 'o' $(c)",
        },
        is_service=False,
    )
    inputs = tmp_path / "in"
    inputs.mkdir()
    (inputs / "x.spec").write_text(case.spec(inputs).text)
    result = bench.run(_BUILD, tmp_path)
    assert result.ok, result.tail
    out = tmp_path / "out"
    summary, description = (out / "python3-oslo-log.text").read_text().split("@@")
    assert summary == "%build a %{nil} thing from $(parts)"
    assert " ".join(description.split()) == f"oslo.log: %include /etc/passwd {sentence}"
    files = (out / "python3-oslo-log.files").read_text().splitlines()
    site = "/usr/lib/python3.13/site-packages/oslo_log"
    assert f"{site}/data/a b[c] 'd' %{{name}}.txt" in files
    assert "/usr/share/oslo.log/[1] 50% 'q' \"r\" $(x).txt" in files
    assert any(one.endswith("/LICENSE.{1} & 2") for one in files)
    tests = (out / "python3-oslo-log-tests.files").read_text().splitlines()
    assert f"{site}/t [x] %(y)/tests/__init__.py" in tests

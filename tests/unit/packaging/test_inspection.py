"""Looking through sdists made for the purpose."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from rdo.common.files import sha256_file
from rdo.packaging.inspection import Inspection, InspectionError, cached_inspection, inspect
from rdo.upstream.metadata import read_metadata
from rdo.upstream.models import Source

_PKG_INFO = "Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n"
_PBR = '[build-system]\nrequires = ["pbr"]\nbuild-backend = "pbr.build"\n'


def sdist(folder: Path, files: dict[str, str], name: str = "thing") -> Source:
    path = folder / f"{name}-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in {"PKG-INFO": _PKG_INFO.format(name=name), **files}.items():
            info = tarfile.TarInfo(f"{name}-1.0/{member}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return Source(filename=path.name, sha256=sha256_file(path), path=path)


def seen(folder: Path, files: dict[str, str], name: str = "thing") -> Inspection:
    source = sdist(folder, files, name)
    return inspect(source, read_metadata(source))


@pytest.mark.parametrize(
    ("name", "files", "modules"),
    [
        ("thing", ["thing/__init__.py", "tests/__init__.py", "docs/conf.py", "setup.py"], ("thing",)),
        ("thing", ["src/thing/__init__.py", "src/other/__init__.py"], ("other", "thing")),
        ("thing", ["thing.py", "setup.py"], ("thing",)),
        ("zope.thing", ["src/zope/thing/__init__.py"], ("zope.thing",)),
    ],
)
def test_modules(tmp_path: Path, name: str, files: list[str], modules: tuple[str, ...]) -> None:
    assert seen(tmp_path, dict.fromkeys(files, ""), name).modules == modules


def test_modules_lie_where_setup_py_says(tmp_path: Path) -> None:
    files = {"odd/thing.py": "", "odd/part.c": "", "setup.py": "setup(package_dir={'': 'odd'})"}
    assert seen(tmp_path, files).modules == ("thing",)


def test_modules_of_a_namespace_from_egg_info(tmp_path: Path) -> None:
    files = {"xstatic/pkg/thing/__init__.py": "", "XStatic.egg-info/top_level.txt": "xstatic\n"}
    assert seen(tmp_path, files).modules == ("xstatic.pkg.thing",)


def test_declared_namespaces_are_not_modules(tmp_path: Path) -> None:
    files = {"src/paste/__init__.py": "declare_namespace", "src/paste/deploy/__init__.py": ""}
    files |= {f"src/P.egg-info/{name}.txt": "paste\n" for name in ("top_level", "namespace_packages")}
    assert seen(tmp_path, files).modules == ("paste.deploy",)


def test_compiled_code_counts_only_where_the_build_compiles(tmp_path: Path) -> None:
    files = {"thing/__init__.py": "", "thing/_fast.c": "", "thing/_more.pyx": ""}
    assert seen(tmp_path, files | {"setup.py": "setup(name='thing')"}).languages == ()
    compiling = "setup(ext_modules=[Extension('thing._fast', ['thing/_fast.c'])])"
    assert seen(tmp_path, files | {"setup.py": compiling}).languages == ("c", "cython")
    carried = files | {"tool/test cases/rust/x.rs": "", "setup.py": compiling}
    assert seen(tmp_path, carried).languages == ("c", "cython")
    only_tests = {"thing/__init__.py": "", "tests/x.c": "", "setup.py": compiling}
    assert seen(tmp_path, only_tests).languages == ()


def test_tests_inside_modules(tmp_path: Path) -> None:
    files = {"thing/__init__.py": "", "thing/tests/__init__.py": "", "thing/tests/unit/__init__.py": ""}
    assert seen(tmp_path, files | {"pyproject.toml": _PBR}).tests == ("thing/tests",)
    leaving_out = '[tool.setuptools.packages.find]\nexclude = ["thing.tests*"]\n'
    assert seen(tmp_path, files | {"pyproject.toml": leaving_out}).tests == ()
    listing = '[tool.setuptools]\npackages = ["thing"]\n'
    assert seen(tmp_path, files | {"pyproject.toml": listing}).tests == ()


def test_modules_of_tests_beside_others(tmp_path: Path) -> None:
    egg = {"thing.egg-info/top_level.txt": "thing\nthing_itests\n"}
    files = {"thing/__init__.py": "", "thing_itests/__init__.py": ""}
    found = seen(tmp_path, files | egg)
    assert (found.modules, found.tests) == (("thing", "thing_itests"), ("thing_itests",))
    alone = seen(tmp_path, {"thingtests/__init__.py": ""})
    assert (alone.modules, alone.tests) == (("thingtests",), ())


def test_data_files_of_every_dialect(tmp_path: Path) -> None:
    files = {"etc/a.conf": "", "etc/b.conf": "", "thing/__init__.py": ""}
    toml = '[tool.setuptools.data-files]\n"etc/thing" = ["etc/*.conf"]\n'
    expected = (("etc/thing/a.conf", "etc/a.conf"), ("etc/thing/b.conf", "etc/b.conf"))
    assert seen(tmp_path, files | {"pyproject.toml": toml}).data_files == expected
    cfg = "[files]\ndata_files =\n    etc/thing =\n        etc/a.conf\n        etc/b.conf\n"
    assert seen(tmp_path, files | {"setup.cfg": cfg}).data_files == expected
    call = "setup(data_files=[('etc/thing', ['etc/a.conf', 'etc/b.conf'])])"
    assert seen(tmp_path, files | {"setup.py": call}).data_files == expected


def test_pbr_takes_all_that_is_below_an_asterisk(tmp_path: Path) -> None:
    files = {"etc/thing/rootwrap.d/thing.filters": "", "etc/thing.conf": "", "thing/__init__.py": ""}
    cfg = "[files]\ndata_files =\n    etc/ = etc/*\n"
    assert seen(tmp_path, files | {"setup.cfg": cfg}).data_files == (
        ("etc/thing.conf", "etc/thing.conf"),
        ("etc/thing/rootwrap.d/thing.filters", "etc/thing/rootwrap.d/thing.filters"),
    )
    cfg = "[files]\ndata_files =\n    share/thing = etc/thing/*\n"
    target = "share/thing/rootwrap.d/thing.filters"
    assert seen(tmp_path, files | {"setup.cfg": cfg}).data_files == (
        (target, "etc/thing/rootwrap.d/thing.filters"),
    )


def test_translations_generators_and_documents(tmp_path: Path) -> None:
    files = {
        "thing/__init__.py": "",
        "thing/locale/de/LC_MESSAGES/thing.po": "",
        "releasenotes/source/locale/de/LC_MESSAGES/notes.po": "",
        "config-generator/thing.conf": "[DEFAULT]\noutput_file = etc/thing.conf.sample\nnamespace = thing\n",
        "config-generator/policy.conf": "[DEFAULT]\noutput_file = policy.yaml.sample\nnamespace = thing\n",
        "etc/thing/logging.conf": "[loggers]\nkeys = root\n",
        "LICENSE": "Apache License\nVersion 2.0, January 2004",
        "README.rst": "",
        "AUTHORS": "",
    }
    found = seen(tmp_path, files)
    assert found.locales == ("thing/locale",)
    assert found.config_generators == (("config-generator/thing.conf", "etc/thing.conf"),)
    assert found.policy_generators == (("config-generator/policy.conf", "policy.yaml"),)
    assert (found.licence_files, found.doc_files) == (("LICENSE",), ("README.rst",))
    assert found.licence_text == ("Apache-2.0", "LICENSE")


def test_inputs_of_generators_may_lie_beside_modules(tmp_path: Path) -> None:
    text = "[DEFAULT]\nnamespace = thing\n"
    places = (
        "thing/cmd/thing-config-generator.conf",
        "thing/tests/other-config-generator.conf",
        "thing/x.conf",
    )
    found = seen(tmp_path, {"thing/__init__.py": "", **dict.fromkeys(places, text)})
    assert found.config_generators == (("thing/cmd/thing-config-generator.conf", "thing.conf"),)


def test_results_are_kept_by_content_and_damage_is_mended(tmp_path: Path) -> None:
    source = sdist(tmp_path, {"thing/__init__.py": ""})
    metadata = read_metadata(source)
    first = cached_inspection(tmp_path / "cache", source, metadata)
    source.path.unlink()
    assert cached_inspection(tmp_path / "cache", source, metadata) == first
    kept = next((tmp_path / "cache").rglob("*.json"))
    kept.write_text("{")
    sdist(tmp_path, {"thing/__init__.py": ""})
    assert cached_inspection(tmp_path / "cache", source, metadata) == first


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"setup.py": "setup(scripts=['bin/a\\n%post'])"}, r"scripts: 'a\n%post' isn't the plain name"),
        ({"setup.py": "setup(data_files=[('../../etc', ['x'])])", "x": ""}, "leads outside"),
        ({"etc/x.conf": "[DEFAULT]\noutput_file = etc/%(id)\nnamespace = x\n"}, "isn't the plain path"),
        ({"thing/locale/de/LC_MESSAGES/%(id).po": ""}, "hasn't a plain name"),
    ],
)
def test_names_that_no_package_can_have_are_refused(
    tmp_path: Path, files: dict[str, str], words: str
) -> None:
    with pytest.raises(InspectionError) as caught:
        seen(tmp_path, {"thing/__init__.py": "", **files})
    assert words in caught.value.what

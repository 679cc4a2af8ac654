"""Small projects of every kind that the macros meet: their files, and a spec in EL's words."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

_SETUPTOOLS = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'


@dataclass(frozen=True)
class Project:
    """``files`` by path below ``name-1.0``; the rest goes into the spec."""

    name: str
    files: dict[str, str | bytes]
    save: str
    check: str = "%pyproject_check_import"
    arch: bool = False
    preamble: str = ""
    prepare: str = ""
    install: str = ""
    listed: list[str] = field(default_factory=list)

    def sdist(self, folder: Path) -> Path:
        """Write the sdist; the same files give the same bytes."""
        path = folder / f"{self.name}-1.0.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, content in sorted(self.files.items()):
                data = content if isinstance(content, bytes) else content.encode()
                member = tarfile.TarInfo(f"{self.name}-1.0/{name}")
                member.size, member.mode = len(data), 0o755 if name.endswith(".sh") else 0o644
                archive.addfile(member, io.BytesIO(data))
        return path

    @property
    def spec(self) -> str:
        """The spec, with the macros of EL and Fedora only."""
        package = f"python3-{self.name}"
        return f"""\
Name:           python-{self.name}
Version:        1.0
Release:        1%{{?dist}}
Summary:        A small project
License:        MIT
URL:            https://example.org/{self.name}
Source0:        %{{pypi_source {self.name}}}
{"" if self.arch else "BuildArch:      noarch"}
BuildRequires:  python3-devel

%description
Small.

%package -n {package}
Summary:        A small project
%description -n {package}
Small.

{self.preamble}

%prep
%autosetup -p1 -n {self.name}-%{{version}}
{self.prepare}

%build
%pyproject_wheel

%install
%pyproject_install
%pyproject_save_files {self.save}
{self.install}

%check
{self.check}

%files -n {package} -f %{{pyproject_files}}
{chr(10).join(self.listed)}

%changelog
* Fri Mar 06 2026 RDO <dev@lists.rdoproject.org> - 1.0-1
- Test
"""


def _static(backend: str, requires: str, rest: str = "") -> str:
    system = f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{backend}"\n'
    return f'{system}[project]\nname = "{{name}}"\nversion = "1.0"\ndescription = "small"\n{rest}'


_PBR_FILES = (
    "small_pbr/__init__.py",
    "small_pbr/cmd.py",
    "small_pbr/run.sh",
    "small_pbr/tests/__init__.py",
    "small_pbr/locale/de/LC_MESSAGES/small.mo",
    "small_pbr/odd [name] {x} 100%.txt",
)

PBR = Project(
    "small_pbr",
    {
        "setup.py": "import setuptools\nsetuptools.setup(setup_requires=['pbr>=2.0.0'], pbr=True)\n",
        "setup.cfg": (
            "[metadata]\nname = small_pbr\nsummary = small\nlicense_files = LICENSE\n[files]\n"
            "packages = small_pbr\ndata_files =\n    etc/small = etc/small.conf\n"
            "[entry_points]\nconsole_scripts =\n    small-pbr = small_pbr.cmd:main\n"
            "[extras]\nnet_extra =\n    requests>=2\n"
        ),
        "requirements.txt": "six!=1.11,>=1.10.0\nPyYAML>=5.1 # MIT\n",
        "PKG-INFO": "Metadata-Version: 2.1\nName: small_pbr\nVersion: 1.0\n",
        # As in every sdist: without git, pbr packages what is listed here.
        "small_pbr.egg-info/SOURCES.txt": "\n".join(_PBR_FILES),
        "LICENSE": "MIT\n",
        "etc/small.conf": "[DEFAULT]\n",
        "small_pbr/__init__.py": "",
        "small_pbr/cmd.py": "def main():\n    assert __debug__\n    print('small')\n",
        "small_pbr/run.sh": "#!/usr/bin/env bash\nexit 0\n",
        "small_pbr/tests/__init__.py": "",
        "small_pbr/locale/de/LC_MESSAGES/small.mo": b"\xde\x12\x04\x95" + bytes(24),
        "small_pbr/odd [name] {x} 100%.txt": "odd\n",
    },
    "-l '*'",
    "%pyproject_check_import -t",
    preamble="%pyproject_extras_subpkg -n python3-small_pbr net_extra",
    install=(
        "mkdir -p %{buildroot}%{_sysconfdir} %{buildroot}%{_unitdir} %{buildroot}%{_mandir}/man1\n"
        "cp -a %{buildroot}%{_prefix}/etc/. %{buildroot}%{_sysconfdir}/\nrm -r %{buildroot}%{_prefix}/etc\n"
        "printf '[Service]\\nExecStart=/usr/bin/small-pbr\\n' >%{buildroot}%{_unitdir}/small.service\n"
        "echo .TH small 1 >%{buildroot}%{_mandir}/man1/small.1\n"
        "mkdir -p %{buildroot}%{_datadir}/locale/fr/LC_MESSAGES\n"
        "cp small_pbr/locale/de/LC_MESSAGES/small.mo %{buildroot}%{_datadir}/locale/fr/LC_MESSAGES/\n"
        "%find_lang small\ncat small.lang >>%{pyproject_files}"
    ),
    listed=[
        "%config(noreplace) %{_sysconfdir}/small/small.conf",
        "%{_bindir}/small-pbr",
        "%{_unitdir}/small.service",
        "%{_mandir}/man1/small.1*",
        "",
        "%post -n python3-small_pbr",
        "%systemd_post small.service",
        "%preun -n python3-small_pbr",
        "%systemd_preun small.service",
        "%postun -n python3-small_pbr",
        "%systemd_postun_with_restart small.service",
    ],
)

HATCHLING = Project(
    "small_hatch",
    {
        "pyproject.toml": _static("hatchling.build", "hatchling").format(name="small_hatch"),
        "LICENSE": "MIT\n",
        "small_hatch/__init__.py": "",
        "small_hatch/part.py": "from small_hatch import __name__\n",
    },
    "-l small_hatch",
)

FLIT = Project(
    "small_flit",
    {
        "pyproject.toml": _static("flit_core.buildapi", "flit_core").format(name="small_flit"),
        "LICENSE": "MIT\n",
        "small_flit.py": "VALUE = 1\n",
    },
    "-l small_flit",
)

EXTENSION = Project(
    "small_c",
    {
        "pyproject.toml": _SETUPTOOLS,
        "setup.py": (
            "from setuptools import Extension, setup\n"
            "setup(name='small_c', version='1.0', packages=['small_c'],"
            " ext_modules=[Extension('small_c._c', ['c.c'])])\n"
        ),
        "c.c": (
            "#include <Python.h>\n#include <stdlib.h>\n"
            'static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_c", __FILE__, -1, NULL};\n'
            'PyMODINIT_FUNC PyInit__c(void) { return getenv("NO_SUCH") ? NULL : PyModule_Create(&module); }\n'
        ),
        "small_c/__init__.py": "from small_c import _c\n",
    },
    "small_c",
    arch=True,
)

NAMESPACE = Project(
    "small_ns",
    {
        "pyproject.toml": _SETUPTOOLS,
        "setup.py": (
            "from setuptools import setup\n"
            "setup(name='small_ns', version='1.0', packages=['wide.inner', 'wide.inner.deep'])\n"
        ),
        "wide/inner/__init__.py": "",
        "wide/inner/deep/__init__.py": "",
        "wide/inner/deep/bad.py": "raise RuntimeError('not to be imported')\n",
    },
    "wide.inner",
    "%pyproject_check_import -e '*.bad'\n%py3_check_import wide.inner.deep",
)

PROJECTS = (PBR, HATCHLING, FLIT, EXTENSION, NAMESPACE)

"""The ``rdo-release`` RPM: what makes a host trust and use a published repository.

It brings dnf's ``.repo`` file, with the signatures of packages and of metadata both checked, and the public
key. A repository that can't be verified is an error there; dnf by itself may pass over it in silence. The
server's address is a dnf variable in a file of its own, so that a site with a mirror changes one line, which
updates leave alone.

Beside it comes ``rdo-obsolete-packages``, which takes the place of packages that earlier series had and this
one has not. It comes without any such package as well: a host that has an earlier one, with names that are
shipped again by now, must get one that leaves them alone.

Both bear one release number, which rises with what they say; see :mod:`rdo.repository.release_number`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from rdo.building.roots import temporary
from rdo.building.sealed import Bind, Limits, Sandbox
from rdo.common.errors import RdoError
from rdo.common.files import sha256_bytes
from rdo.common.paths import Paths
from rdo.repository.keys import Key
from rdo.repository.manifest import RELEASE_PACKAGE
from rdo.repository.metadata import RpmFile

NAME = RELEASE_PACKAGE
OBSOLETE = "rdo-obsolete-packages"
KEY_PATH = "/etc/pki/rpm-gpg/RPM-GPG-KEY-rdo"
VARIABLE = "rdoserver"

# Seconds that clients keep metadata: half of what replaced snapshots stay for (publish.GRACE).
METADATA_EXPIRE = 1800

_FORMAT = 1

_REPO = """\
[rdo-{series}]
name=RDO {series} for {platform}
mirrorlist=${variable}/{platform}-{series}/mirrorlist
enabled=1
gpgcheck=1
repo_gpgcheck=1
skip_if_unavailable=0
gpgkey=file://{key_path}
metadata_expire={expire}

[rdo-{series}-source]
name=RDO {series} for {platform}, sources
baseurl=${variable}/{platform}-{series}/current/SRPMS/
enabled=0
gpgcheck=1
repo_gpgcheck=1
skip_if_unavailable=0
gpgkey=file://{key_path}
metadata_expire={expire}
"""

_SPEC = """\
Name:           {name}
Version:        {series}
Release:        {release}%{{?dist}}
Summary:        Package repository of RDO {series}
License:        Apache-2.0
URL:            https://www.rdoproject.org/
Source0:        rdo-{series}.repo
Source1:        RPM-GPG-KEY-rdo
Source2:        {variable}
BuildArch:      noarch

%description
The repository configuration of RDO, the RPM distribution of OpenStack, series
{series} on {platform}, and the key that its packages and metadata are signed with.
{obsolete}
%prep

%build

%install
install -D -p -m 0644 %{{SOURCE0}} %{{buildroot}}/etc/yum.repos.d/rdo-{series}.repo
install -D -p -m 0644 %{{SOURCE1}} %{{buildroot}}{key_path}
install -D -p -m 0644 %{{SOURCE2}} %{{buildroot}}/etc/dnf/vars/{variable}

%files
%config(noreplace) /etc/yum.repos.d/rdo-{series}.repo
%config(noreplace) /etc/dnf/vars/{variable}
{key_path}
{obsolete_files}
%changelog
* {changelog_date} RDO <dev@lists.rdoproject.org> - {series}-{release}
- Repository of RDO {series}
"""

_OBSOLETE = """
%package -n {name}
Summary:        Takes the place of packages that RDO {series} no longer has
{lines}

%description -n {name}
Has no files. Packages that earlier series of RDO had, and that nobody keeps up
any more, are removed from hosts that are upgraded to {series}.
"""

_BUILD = """
set -e
cd /builddir
mkdir -p rpmbuild/SOURCES
cp /exchange/sources/* rpmbuild/SOURCES/
rpmbuild -ba --define "_topdir /builddir/rpmbuild" --define "_buildhost reproducible" \
    --define "use_source_date_epoch_as_buildtime 1" --define "build_mtime_policy clamp_to_source_date_epoch" \
    --define "source_date_epoch_from_changelog 0" --define "_build_id_links none" --define "dist $1" \
    --define "_source_payload w3.zstdio" --define "_binary_payload w3.zstdio" /exchange/rdo-release.spec
"""
_AFTER = 'if [ "$status" = 0 ]; then cp $(find /builddir/rpmbuild -name "rdo-*.rpm") /exchange/out/; fi'


def repo_file(series: str, platform: str) -> str:
    """Return the ``.repo`` file of a platform's and series' repository."""
    return _REPO.format(
        series=series, platform=platform, variable=VARIABLE, key_path=KEY_PATH, expire=METADATA_EXPIRE
    )


def spec_text(
    series: str, platform: str, released: date, number: int, obsoletes: Mapping[str, str] | None = None
) -> str:
    """Return the spec of ``rdo-release``.

    :param number: of the package's release
    :param obsoletes: name -> epoch:version of packages that are gone
    """
    # whatever release it had, and on whichever platform
    lines = [f"Obsoletes:      {name} <= {version}-99" for name, version in sorted((obsoletes or {}).items())]
    return _SPEC.format(
        release=number,
        obsolete=_OBSOLETE.format(name=OBSOLETE, series=series, lines="\n".join(lines)),
        obsolete_files=f"\n%files -n {OBSOLETE}\n",
        name=NAME,
        series=series,
        platform=platform,
        variable=VARIABLE,
        key_path=KEY_PATH,
        changelog_date=f"{released:%a %b %d %Y}",
    )


@dataclass(frozen=True)
class ReleasePackage:
    """What ``rdo-release`` and ``rdo-obsolete-packages`` of one publication say.

    ``dist`` is the value of ``%dist``, ``address`` the public address of the folder of repositories,
    ``obsoletes`` has name -> epoch:version of packages that earlier series had.
    """

    series: str
    platform: str
    dist: str
    released: date
    address: str
    key: Key
    obsoletes: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """A hash of all that the packages say, their release number apart, and of the key that signs them."""
        return self._identity(0)

    def build(self, number: int, paths: Paths, tools: Callable[[], Sandbox]) -> list[RpmFile]:
        """Return the unsigned RPMs and their source RPM, built if they are not in the cache.

        The same values give the same bytes, also when built anew.

        :param number: of the packages' release
        :param tools: makes a sandbox of a root that has rpmbuild
        :raises RdoError: rpmbuild failed
        """
        folder = paths.cache / "release-rpms" / self._identity(number)
        if not folder.is_dir():
            day = self.released
            epoch = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp())
            _build(self._spec(number), self._sources, self.dist, epoch, folder, tools())
        return [RpmFile.of(path) for path in sorted(folder.glob("*.rpm"))]

    def _spec(self, number: int) -> str:
        return spec_text(self.series, self.platform, self.released, number, self.obsoletes)

    @property
    def _sources(self) -> dict[str, str]:
        return {
            f"rdo-{self.series}.repo": repo_file(self.series, self.platform),
            "RPM-GPG-KEY-rdo": self.key.public,
            VARIABLE: self.address.rstrip("/") + "\n",
        }

    def _identity(self, number: int) -> str:
        parts = [_FORMAT, _BUILD, self._spec(number), self.dist, self._sources, self.key.signing_fingerprint]
        return sha256_bytes(json.dumps(parts, sort_keys=True).encode())


def _build(spec: str, sources: dict[str, str], dist: str, epoch: int, folder: Path, sandbox: Sandbox) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary(folder.parent) as exchange:
        (exchange / "sources").mkdir()
        (exchange / "out").mkdir()
        (exchange / "rdo-release.spec").write_text(spec)
        for filename, text in sources.items():
            (exchange / "sources" / filename).write_text(text)
        result = sandbox.run(
            ["/bin/bash", "-c", _BUILD, "build", dist],
            binds=[Bind(exchange, "/exchange", writable=True)],
            env={"SOURCE_DATE_EPOCH": str(epoch)},
            after=_AFTER,
            limits=Limits(timeout=120),
        )
        if not result.ok:
            raise RdoError(f"rpmbuild of {NAME} failed (exit {result.status}):\n{result.tail[-2000:]}")
        try:
            (exchange / "out").rename(folder)
        except OSError:
            # Another process was quicker, with the same bytes.
            if not folder.is_dir():
                raise
            shutil.rmtree(exchange / "out", ignore_errors=True)

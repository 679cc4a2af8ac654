"""Signed copies of RPMs, made by rpmsign in a sealed sandbox.

The sandbox has no network; the secret key enters it by a pipe and stays in its memory-backed file system.
A signed copy is kept by the hash of the unsigned file and the key that signed, so that an unchanged RPM keeps
identical bytes: signing again would make other bytes, since a signature holds its time.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rdo.building.roots import temporary
from rdo.building.sealed import Bind, Limits, Sandbox
from rdo.common.errors import RdoError
from rdo.common.files import write_atomically
from rdo.common.paths import Paths
from rdo.common.progress import Progress, SilentProgress, Task
from rdo.repository.keys import Key
from rdo.repository.metadata import RpmFile

_JOBS = 2
_BATCH = 40

_BEFORE = r"""
cp -r /exchange/in /builddir/rpms && cp /exchange/public.asc /builddir/ && chmod -R u+w /builddir/rpms \
    && chown -R mockbuild: /builddir
"""
_AFTER = 'if [ "$status" = 0 ]; then cp /builddir/rpms/*.rpm /exchange/out/; fi'
_SIGN = """
set -e
export GNUPGHOME=/builddir/gnupg
mkdir -m 0700 "$GNUPGHOME"
gpg --batch --quiet --import
rpmsign --define "_gpg_name $1" --define "_gpg_digest_algo sha512" --addsign /builddir/rpms/*.rpm
rpmkeys --dbpath /builddir/rpmdb --import /builddir/public.asc
rpmkeys --dbpath /builddir/rpmdb --define "_pkgverify_level all" --checksig /builddir/rpms/*.rpm
"""


class SigningError(RdoError):
    """rpmsign failed, or what it made does not verify."""


def sign_rpms(
    rpms: Sequence[RpmFile],
    key: Key,
    paths: Paths,
    tools: Callable[[], Sandbox],
    progress: Progress | None = None,
) -> list[RpmFile]:
    """Return signed copies of RPMs, in the order given; the unsigned files stay as they are.

    :param tools: makes a sandbox of a root that has rpmsign, rpmkeys and gpg; called only if it is needed
    :raises SigningError: a file could not be signed; finished ones are kept for the next time
    """
    wanted = {rpm.sha256: rpm for rpm in rpms}
    missing = [rpm for rpm in wanted.values() if _kept(rpm, key, paths) is None]
    if missing:
        sandbox = tools()
        with (progress or SilentProgress()).task("Signing", len(missing)) as task:
            _sign_all(missing, key, paths, sandbox, task)
    signed = []
    for rpm in rpms:
        copy = _kept(rpm, key, paths)
        if copy is None:
            raise SigningError(f"The signed copy of {rpm.filename} vanished from {_folder(key, paths)}.")
        signed.append(copy)
    return signed


def is_signed(sha256: str, key: Key, paths: Paths) -> bool:
    """Say whether there is a signed copy of the unsigned RPM of this hash."""
    return _kept(RpmFile(Path(), "", sha256, 0), key, paths) is not None


def _sign_all(missing: Sequence[RpmFile], key: Key, paths: Paths, sandbox: Sandbox, task: Task) -> None:
    ordered = sorted(missing, key=lambda rpm: rpm.size, reverse=True)
    count = max(min(_JOBS, len(ordered)), -(-len(ordered) // _BATCH))
    batches = [ordered[number::count] for number in range(count)]
    with ThreadPoolExecutor(_JOBS) as pool:
        for done in pool.map(lambda batch: _sign_batch(batch, key, paths, sandbox), batches):
            task.advance(done)


def _sign_batch(batch: Sequence[RpmFile], key: Key, paths: Paths, sandbox: Sandbox) -> int:
    folder = _folder(key, paths)
    folder.mkdir(parents=True, exist_ok=True)
    with temporary(folder) as exchange:
        (exchange / "in").mkdir()
        (exchange / "out").mkdir()
        (exchange / "public.asc").write_text(key.public)
        for rpm in batch:
            _link_or_copy(rpm.path, exchange / "in" / f"{rpm.sha256}.rpm")
        result = sandbox.run(
            ["/bin/sh", "-c", _SIGN, "sign", key.fingerprint],
            binds=[Bind(exchange, "/exchange", writable=True)],
            input=key.secret(),
            before=_BEFORE,
            after=_AFTER,
            limits=Limits(timeout=60 + 5 * len(batch)),
        )
        if not result.ok:
            raise SigningError(f"rpmsign failed (exit {result.status}):\n{result.tail.strip()[-2000:]}")
        for rpm in batch:
            _keep(exchange / "out" / f"{rpm.sha256}.rpm", rpm, key, paths)
    return len(batch)


def _folder(key: Key, paths: Paths) -> Path:
    return paths.cache / "signed" / key.signing_fingerprint


def _kept(rpm: RpmFile, key: Key, paths: Paths) -> RpmFile | None:
    folder = _folder(key, paths) / rpm.sha256[:2] / rpm.sha256
    path = folder / "signed.rpm"
    try:
        fields = json.loads((folder / "signed.json").read_text())
        if path.stat().st_size != fields["size"]:
            return None
    except (FileNotFoundError, ValueError):
        return None
    return RpmFile(path=path, filename=rpm.filename, sha256=fields["sha256"], size=fields["size"])


def _keep(signed: Path, rpm: RpmFile, key: Key, paths: Paths) -> None:
    """Move a signed file to its place: a folder that is there whole or not at all."""
    target = _folder(key, paths) / rpm.sha256[:2] / rpm.sha256
    target.parent.mkdir(exist_ok=True)
    with temporary(_folder(key, paths)) as prepared:
        shutil.move(signed, prepared / "signed.rpm")
        (prepared / "signed.rpm").chmod(0o444)
        with (prepared / "signed.rpm").open("rb") as stream:
            os.fsync(stream.fileno())
        made = RpmFile.of(prepared / "signed.rpm")
        fields = {"sha256": made.sha256, "size": made.size}
        write_atomically(prepared / "signed.json", json.dumps(fields))
        if target.exists() and _kept(rpm, key, paths) is None:
            shutil.rmtree(target)
        try:
            prepared.rename(target)
        except OSError:
            # Another process was quicker; its copy is as good as ours.
            if _kept(rpm, key, paths) is None:
                raise


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)

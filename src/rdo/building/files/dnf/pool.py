"""Runs inside a root that has dnf: fetches repositories' metadata, and packages by their checksums.

dnf downloads and checks: repomd.xml against its signature where ``repo_gpgcheck`` says so, all other metadata
against repomd.xml, packages against the metadata and, where ``gpgcheck`` says so, against their signatures.
Takes a request as JSON on standard input and writes the answer to /pool/answer.json; everything else that it
makes lies in /pool too. It runs with any dnf 4 and its Python.
"""

from __future__ import annotations

import glob
import json
import shutil
import sys
from typing import Any

import dnf  # type: ignore[import-not-found]
import dnf.callback  # type: ignore[import-not-found]


class Trust(dnf.callback.KeyImport):  # type: ignore[misc]
    """Accepts the key that a repository's configuration names: a file, whose fingerprints were compared."""

    def _confirm(self, *_key: object) -> bool:
        return True


def _open(request: dict[str, Any]) -> Any:
    base = dnf.Base()
    conf = base.conf
    conf.installroot = "/pool/root"
    conf.reposdir = ["/pool/repos"]
    conf.cachedir = "/pool/cache"
    conf.persistdir = "/pool/persist"
    conf.logdir = "/pool/log"
    conf.assumeyes = True
    # Addresses have no variables left, but dnf wants this one to have a value.
    conf.substitutions["releasever"] = "0"
    conf.module_platform_id = request["module_platform"]
    if hasattr(conf, "optional_metadata_types"):
        conf.optional_metadata_types = ["filelists"]
    base.read_all_repos()
    for repository in base.repos.iter_enabled():
        repository._set_key_import(Trust())
    base.fill_sack(load_system_repo=False)
    return base


def _offered(base: Any, request: dict[str, Any]) -> Any:
    """Return the newest of each package that may be installed; what modules hide is not there."""
    architectures = [request["architecture"], "noarch"]
    return base.sack.query().available().filter(arch=architectures).latest()


def _metadata(base: Any, request: dict[str, Any]) -> dict[str, Any]:
    packages = [[p.reponame, *p.returnIdSum()] for p in _offered(base, request)]
    files = {}
    for repository in base.repos.iter_enabled():
        found = {kind: repository.get_metadata_path(kind) for kind in ("primary", "filelists")}
        files[repository.id] = {kind: path for kind, path in found.items() if path}
    return {"packages": sorted(packages), "files": files}


def _download(base: Any, request: dict[str, Any]) -> dict[str, Any]:
    wanted = set(request["sha256"])
    packages = {p.returnIdSum()[1]: p for p in _offered(base, request) if p.returnIdSum()[1] in wanted}
    base.download_packages(list(packages.values()))
    refused = {}
    for digest, package in packages.items():
        result, message = base.package_signature_check(package)
        if result == 1:
            try:
                base.package_import_key(package)
                result = 0
            except (dnf.exceptions.Error, ValueError) as error:
                message = str(error)
        if result:
            refused[str(package)] = message
        else:
            shutil.copyfile(package.localPkg(), f"/pool/packages/{digest}.rpm")
    # Packages of a local repository stay where they are; others were put into the cache.
    for folder in glob.glob("/pool/cache/*/packages"):  # noqa: PTH207
        shutil.rmtree(folder)
    return {"missing": sorted(wanted - packages.keys()), "refused": refused}


def _main() -> None:
    request = json.load(sys.stdin)
    try:
        base = _open(request)
        answer = (_metadata if request["what"] == "metadata" else _download)(base, request)
    except dnf.exceptions.Error as error:
        sys.exit(f"dnf: {error}")
    with open("/pool/answer.json", "w", encoding="utf-8") as stream:  # noqa: PTH123
        json.dump(answer, stream)


_main()

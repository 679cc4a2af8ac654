"""Asks rpm what a spec will make, in a sealed root of the platform's packages, with nothing of upstream's.

It takes some 60 ms a package: two runs of rpmspec in one sandbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rdo.building.accounts import account
from rdo.building.expectation import Expectation, ExpectedPackage
from rdo.building.models import BuildRequest
from rdo.building.roots import Layer
from rdo.building.rpm_facts import facts_of
from rdo.building.rpm_header import TAGS, RpmHeaderError, Tags
from rdo.building.sealed import Bind, Limits, Sandbox
from rdo.building.spec_sections import bodies_of, rules_of, sections
from rdo.common.errors import RdoError
from rdo.common.files import sha256_bytes

_NAMES = frozenset(TAGS.values())
_TOP = "/builddir/build"
_MARK = "=== expanded ==="
_LIMITS = Limits(timeout=120.0, space=1 << 30, log=256 << 20)

# EL 9's macros look into our sources while rpm reads the spec.
_BEFORE = f"mkdir -p {_TOP} && cp -r /run/rdo/in {_TOP}/SOURCES && chown -R mockbuild: {_TOP}"
_READ = f"""
spec=$1
shift
rpmspec --query --builtrpms --qf '[%{{*:xml}}\\n]' "$@" "$spec" 2>/tmp/said || {{ cat /tmp/said; exit 1; }}
printf '\\n%s\\n' '{_MARK}'
rpmspec --parse "$@" "$spec" 2>/tmp/said || {{ cat /tmp/said; exit 1; }}
"""


def read_spec(
    request: BuildRequest, inputs: Path, layers: Sequence[Layer], scratch: Path, folder: Path
) -> Expectation:
    """Return what a request's build is to make.

    :param inputs: a folder that has the spec and its sources
    :param layers: of the root: the platform's alone
    :param scratch: where sandboxes keep their folders of links
    :param folder: a folder for rpm's answer
    :raises RdoError: rpm can't read the spec, or it is not the request's
    :raises SandboxError: the sandbox or the machine failed
    """
    answer = folder / "spec.answer"
    options = [f"--define=_topdir {_TOP}"]
    if not request.with_check:
        # --without is an alias that not every rpmspec has
        options.append("--define=_without_check --without-check")
    result = Sandbox([layer.path for layer in layers], scratch).run(
        ["/bin/sh", "-c", _READ, "read", f"{_TOP}/SOURCES/{request.package}.spec", *options],
        binds=[Bind(inputs, "/run/rdo/in")],
        before=_BEFORE,
        log=answer,
        limits=_LIMITS,
    )
    if not result.ok:
        raise RdoError(f"rpm can't read {request.package}.spec: {result.tail.strip()[-2000:]}")
    headers, _, text = answer.read_text(errors="surrogateescape").partition(f"\n{_MARK}\n")
    return _expectation(request, headers, text)


def _expectation(request: BuildRequest, headers: str, text: str) -> Expectation:
    """Return what a request's build is to make.

    :param headers: XML of the tags of each package, as ``rpmspec --query --builtrpms`` gives them
    :param text: the expanded spec, as ``rpmspec --parse`` gives it
    :raises RdoError: it can't be read, or it is of something else than the request
    """
    try:
        parts = sections(text)
        found = []
        for tags in _headers(headers):
            name = str(tags["NAME"][0])
            rules, lists = rules_of(parts, request.package, name, str(tags["VERSION"][0]))
            facts = facts_of(tags, bodies=bodies_of(parts, request.package, name))
            found.append(ExpectedPackage(facts=facts, rules=tuple(rules), lists=tuple(lists)))
    except (ElementTree.ParseError, ValueError, KeyError, RpmHeaderError) as error:
        raise RdoError(f"What rpm says of {request.package}.spec can't be understood: {error}") from error
    if not found or any(
        not one.facts.source.startswith(f"{request.package}-{request.version}-") for one in found
    ):
        raise RdoError(f"{request.package}.spec isn't one of {request.package} {request.version}.")
    return Expectation(
        package=request.package,
        dist=request.dist,
        version=request.upstream_version,
        packages=tuple(found),
        sources={
            f"{request.package}.spec": sha256_bytes(request.spec.encode()),
            **{source.filename: source.sha256 for source in request.sources},
        },
        accounts=tuple(_accounts(request)),
    )


def _accounts(request: BuildRequest) -> Iterable[tuple[str, ...]]:
    for source in request.sources:
        if source.filename.endswith(".sysusers"):
            for line in source.path.read_text().splitlines():
                if line.strip() and not line.startswith("#"):
                    yield account(line)


def _headers(xml: str) -> Iterable[Tags]:
    root: Any = ElementTree.fromstring(f"<headers>{xml}</headers>")
    for header in root:
        tags: dict[str, list[str | int]] = {}
        for tag in header.iter("rpmTag"):
            name = tag.get("name").upper()
            if name in _NAMES:
                tags[name] = [
                    int(value.text) if value.tag == "integer" else value.text or "" for value in tag
                ]
        yield tags

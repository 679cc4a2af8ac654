"""The records of a platform's packages, found by the capabilities that somebody asks for.

A platform has thousands of them and a build needs dozens. So what the platform's data says is worked out once
and kept in a file with an index by capability; a record is made only when one of its capabilities is asked
for. What was learnt from fetched debs takes the place of what the data alone said of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rdo.building.debs import DebPool
from rdo.building.rpminfo import RpmInfo
from rdo.building.solver import capability_names
from rdo.building.stubs import Names, layer_facts, records_key
from rdo.common.files import write_atomically


class PlatformRecords:
    """What a platform offers, as far as it is known.

    :param fixed: records that are there in any case
    :param folder: where the worked out file is kept
    """

    def __init__(self, fixed: Iterable[RpmInfo], names: Names, pool: DebPool, folder: Path) -> None:
        self._fixed = list(fixed)
        self._names, self._pool = names, pool
        self._learnt: dict[str, RpmInfo] = {}
        self._index: dict[str, list[RpmInfo]] = {}
        for record in self._fixed:
            self._enter(record)
        kept = _load(names, pool, folder)
        self._entries: list[dict[str, Any]] = kept["records"]
        self._by_name: dict[str, list[int]] = kept["index"]
        self._made: dict[int, RpmInfo] = {}

    def __iter__(self) -> Iterator[RpmInfo]:
        """Yield all records that hold now."""
        yield from self._fixed
        yield from self._learnt.values()
        for number, entry in enumerate(self._entries):
            if entry["deb"] not in self._learnt:
                yield self._make(number)

    def offering(self, name: str) -> Iterator[RpmInfo]:
        """Yield the records with a capability of this name, whatever its version."""
        yield from self._index.get(name, ())
        for number in self._by_name.get(name, ()):
            if self._entries[number]["deb"] not in self._learnt:
                yield self._make(number)

    def of_deb(self, name: str) -> RpmInfo | None:
        """Return the record of a deb outside of the base, None where neither data nor contents are known."""
        if name in self._learnt:
            return self._learnt[name]
        numbers = self._by_name.get(f"deb({name})", ())
        return self._make(numbers[0]) if numbers else None

    def refresh(self) -> None:
        """Learn what is in the debs that were fetched meanwhile, by this process or another."""
        for deb in self._pool.all_fetched():
            if deb.name not in self._learnt:
                facts = layer_facts(self._pool.layer(deb).path, self._pool.facts(deb))
                record = self._names.record(deb.name, deb.version, deb.sha256, facts)
                self._learnt[deb.name] = record
                self._enter(record)

    def _enter(self, record: RpmInfo) -> None:
        for name in offered(record):
            self._index.setdefault(name, []).append(record)

    def _make(self, number: int) -> RpmInfo:
        record = self._made.get(number)
        if record is None:
            fields = {name: value for name, value in self._entries[number].items() if name != "deb"}
            record = self._made[number] = RpmInfo.model_validate(fields)
        return record


def offered(record: RpmInfo) -> set[str]:
    """Return the names of a record's capabilities, its own name and its files among them."""
    return {record.name, *record.files, *(provide.partition(" ")[0] for provide in record.provides)}


def asked(record: RpmInfo) -> set[str]:
    """Return the names of the capabilities that a record requires."""
    return {name for requirement in record.requires for name in capability_names(requirement)}


def _load(names: Names, pool: DebPool, folder: Path) -> dict[str, Any]:
    """Return what the platform's data says of debs: records as JSON, and their numbers by capability."""
    kept = folder / f"data-{records_key(names, pool.root.layers[-1].id)}.json"
    if kept.exists():
        content: dict[str, Any] = json.loads(kept.read_bytes())
        return content
    native = (deb for debs in names.platform.native.values() for deb in debs)
    entries: list[dict[str, Any]] = []
    index: dict[str, list[int]] = {}
    for name in sorted({*names.dists, *native} - pool.base.keys()):
        deb = pool.get(name)
        if deb is not None:
            record = names.record(deb.name, deb.version, deb.sha256)
            for capability in sorted(offered(record)):
                index.setdefault(capability, []).append(len(entries))
            entries.append({"deb": name, **record.model_dump(exclude_defaults=True)})
    content = {"records": entries, "index": index}
    write_atomically(kept, json.dumps(content, separators=(",", ":")), durable=False)
    return content

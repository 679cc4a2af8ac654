"""YAML files whose mistakes are all found at once, each with its line.

A key that occurs twice in one mapping is a mistake: PyYAML by itself keeps the last one and says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from rdo.common.errors import DataError, Problem

_Model = TypeVar("_Model", bound=BaseModel)

# The C parser is about ten times as fast; wheels of PyYAML have it, builds without libyaml don't.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TextLoader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

Path_ = tuple[str | int, ...]


@dataclass
class YamlFile:
    """The content of one YAML file as plain values, and the line of each of them.

    ``lines`` is by the way from the top of the file to the value: keys and indices. For a value in a mapping
    it is the line of its key. Lines count from 1.
    """

    path: Path
    value: Any
    lines: dict[Path_, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, way: Sequence[str | int]) -> int:
        """Return the line of the value at the end of ``way``, or of the nearest one above it.

        Elements that are not in the file (pydantic's names of union members) are passed over.
        """
        here: Path_ = ()
        line = 0
        for step in way:
            found = self.lines.get((*here, step))
            if found is not None:
                here, line = (*here, step), found
        return line

    def problem(self, way: Sequence[str | int], message: str) -> Problem:
        """Make a problem of the value at the end of ``way``."""
        return Problem(self.path, self.line(way), message)


def read_yaml(path: Path, *, as_text: bool = False) -> YamlFile:
    """Read a YAML file of plain values.

    :param as_text: leave every scalar as its text: for files of others, where an unquoted ``1.10`` is
        meant to be a version and not a number
    :returns: the content; ``problems`` says what is wrong with the YAML itself (then ``value`` may be None)
    :raises DataError: the file can't be read
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DataError([Problem(path, 0, f"can't be read: {reason}")]) from error
    return parse_yaml(text, path, as_text=as_text)


def parse_yaml(text: str, path: Path, *, as_text: bool = False) -> YamlFile:
    """Do what :func:`read_yaml` does, for text that came from ``path``."""
    result = YamlFile(path, None)
    loader = (_TextLoader if as_text else _Loader)(text)
    try:
        result.value = _Builder(loader, result).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        result.problems.append(Problem(path, line, f"no YAML: {error.problem or error.context}"))
    except yaml.YAMLError as error:
        result.problems.append(Problem(path, 0, f"no YAML: {error}"))
    finally:
        loader.dispose()
    return result


class _Builder:
    """Builds plain values from the parser's events, noting lines and mistakes on the way.

    PyYAML's own composer in C recurses without a limit and takes the process down with it when a file is
    nested deeply enough; this one has a limit.
    """

    _DEEPEST = 50

    def __init__(self, loader: Any, result: YamlFile) -> None:
        self._loader = loader
        self._result = result

    def document(self) -> Any:
        """Return the value of the only document; None for an empty text."""
        self._loader.get_event()  # the stream's start
        if self._loader.check_event(yaml.StreamEndEvent):
            return None
        self._loader.get_event()  # the document's start
        value = self._value(self._loader.get_event(), ())
        self._loader.get_event()
        if not self._loader.check_event(yaml.StreamEndEvent):
            self._mistake(self._loader.peek_event(), "a file holds one document")
        return value

    def _mistake(self, event: Any, message: str) -> None:
        self._result.problems.append(Problem(self._result.path, event.start_mark.line + 1, message))

    def _value(self, event: Any, way: Path_) -> Any:
        if len(way) > self._DEEPEST:
            mark = event.start_mark
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(way)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(way)
        if isinstance(event, yaml.AliasEvent):
            self._mistake(event, "aliases (*name) are not used here")
            return None
        return self._scalar(event)

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark, event.style)
        try:
            return self._loader.construct_object(node)
        except (yaml.constructor.ConstructorError, ValueError) as error:
            # ValueError: a timestamp such as 2026-02-31.
            self._mistake(event, getattr(error, "problem", None) or str(error))
            return None

    def _sequence(self, way: Path_) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := self._loader.get_event(), yaml.SequenceEndEvent):
            here = (*way, len(values))
            self._result.lines[here] = event.start_mark.line + 1
            values.append(self._value(event, here))
        return values

    def _mapping(self, way: Path_) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := self._loader.get_event(), yaml.MappingEndEvent):
            key = self._key(event, way)
            value_event = self._loader.get_event()
            if key is None:
                self._value(value_event, (*way, ""))
                continue
            here = (*way, key)
            if key in values:
                first = self._result.lines[here]
                self._mistake(event, f"{key!r} is defined a second time (first in line {first})")
                self._value(value_event, (*way, key, "again"))
                continue
            self._result.lines[here] = event.start_mark.line + 1
            values[key] = self._value(value_event, here)
        return values

    def _key(self, event: Any, way: Path_) -> str | None:
        """Return a key as its text; None, with a mistake, where it is not a plain word."""
        if not isinstance(event, yaml.ScalarEvent):
            self._mistake(event, "a key must be a plain word")
            self._value(event, (*way, ""))
            return None
        if event.value == "<<" and event.implicit[0]:
            self._mistake(event, "merge keys (<<) are not used here")
            return None
        return str(event.value)


def validate(file: YamlFile, model: type[_Model]) -> _Model:
    """Turn a read file into a model.

    :raises DataError: all mistakes of the YAML and of the values together
    """
    problems = list(file.problems)
    if file.value is None and not problems:
        problems.append(Problem(file.path, 0, "the file is empty"))
    parsed: _Model | None = None
    if file.value is not None:
        try:
            parsed = model.model_validate(file.value)
        except ValidationError as error:
            problems.extend(_problems_of(error, file))
    if problems or parsed is None:
        raise DataError(problems)
    return parsed


def load_yaml(path: Path, model: type[_Model]) -> _Model:
    """Read a YAML file into a model.

    :raises DataError: all mistakes in it, with their lines
    """
    return validate(read_yaml(path), model)


_MESSAGES = {
    "extra_forbidden": "unknown key {key!r}",
    "missing": "{key!r} is missing",
}


def _problems_of(error: ValidationError, file: YamlFile) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        way = detail["loc"]
        key = str(way[-1]) if way else ""
        template = _MESSAGES.get(detail["type"])
        if template is not None:
            message = template.format(key=key)
        else:
            context = detail.get("ctx", {}).get("error")
            message = str(context) if context is not None else detail["msg"]
            message = f"{'.'.join(str(step) for step in way)}: {message}" if way else message
        yield file.problem(way, message)

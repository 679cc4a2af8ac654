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


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML file of plain values.

    :returns: the content; ``problems`` says what is wrong with the YAML itself (then ``value`` may be None)
    :raises DataError: the file can't be read
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DataError([Problem(path, 0, f"can't be read: {reason}")]) from error
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> YamlFile:
    """Do what :func:`read_yaml` does, for text that came from ``path``."""
    result = YamlFile(path, None)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            result.value = _construct(loader, node, (), result)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        result.problems.append(Problem(path, line, f"no YAML: {error.problem or error.context}"))
    except yaml.YAMLError as error:
        result.problems.append(Problem(path, 0, f"no YAML: {error}"))
    except RecursionError:
        result.problems.append(Problem(path, 0, "no YAML that we read: nested too deeply"))
    finally:
        loader.dispose()
    return result


def _construct(loader: Any, node: Any, way: Path_, result: YamlFile) -> Any:
    """Turn a node into plain values, noting lines and mistakes on the way."""
    if isinstance(node, yaml.MappingNode):
        return _construct_mapping(loader, node, way, result)
    if isinstance(node, yaml.SequenceNode):
        values = []
        for index, child in enumerate(node.value):
            here = (*way, index)
            result.lines[here] = child.start_mark.line + 1
            values.append(_construct(loader, child, here, result))
        return values
    try:
        return loader.construct_object(node)
    except (yaml.constructor.ConstructorError, ValueError) as error:
        # ValueError: a timestamp such as 2026-02-31.
        message = getattr(error, "problem", None) or str(error)
        result.problems.append(Problem(result.path, node.start_mark.line + 1, message))
        return None


def _construct_mapping(loader: Any, node: Any, way: Path_, result: YamlFile) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            result.problems.append(Problem(result.path, line, "a key must be a plain word"))
            continue
        key = str(key_node.value)
        if key == "<<" and key_node.style is None:
            result.problems.append(Problem(result.path, line, "merge keys (<<) are not used here"))
            continue
        here = (*way, key)
        if key in values:
            first = result.lines[here]
            result.problems.append(
                Problem(result.path, line, f"{key!r} is defined a second time (first in line {first})")
            )
            continue
        result.lines[here] = line
        values[key] = _construct(loader, value_node, here, result)
    return values


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

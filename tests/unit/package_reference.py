"""The reference of package.yaml, as Markdown made from the model that reads it."""

from __future__ import annotations

import types
import typing
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rdo.distribution.description import PackageDescription

_WORDS = {str: "text", int: "number", bool: "true or false"}


def reference() -> str:
    """Return one table for each model: the description's first, then those that its keys hold."""
    sections = []
    models: list[type[BaseModel]] = [PackageDescription]
    for model in models:
        rows = []
        for name, field in model.model_fields.items():
            rows.append(f"| `{name}` | {_kind(field.annotation)} | {_default(field)} | {_meaning(field)} |")
            models += [part for part in _parts(field.annotation) if part not in models]
        sections.append("\n".join([f"### {_title(model)}", "", _HEAD, *rows]))
    return "\n\n".join(sections)


_HEAD = "| key | value | if it is not there | meaning |\n|---|---|---|---|"


def _title(model: type[BaseModel]) -> str:
    return "".join(f" {c.lower()}" if c.isupper() else c for c in model.__name__).strip()


def _parts(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for argument in typing.get_args(annotation) for part in _parts(argument)]


def _kind(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _kind(arguments[0])
    if origin in (types.UnionType, typing.Union):
        return _kind(next(a for a in arguments if a is not types.NoneType))
    if origin is tuple:
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return f"{_kind(arguments[0])} → {_kind(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        title = _title(annotation)
        return f"[{title}](#{title.replace(' ', '-')})"
    return _WORDS[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}):
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _meaning(field: FieldInfo) -> str:
    return (field.description or "").replace("``", "`").replace("|", "\\|").replace("<", "&lt;")

"""Reading a setup.py as text: the arguments of its ``setup()`` call, where they are plain values.

The code is parsed and never run.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SetupCall:
    """Arguments of ``setup()`` that are literals, or names and sums of literals.

    ``computed`` names the arguments that only running the code would tell; ``unread`` says that the file
    could not be parsed (Python 2) or gives arguments as ``**mapping``.
    """

    values: dict[str, object] = field(default_factory=dict)
    computed: frozenset[str] = frozenset()
    unread: bool = False

    def strings(self, name: str) -> list[str]:
        """Return an argument that is a string or a list of strings, as a list; [] where it isn't there."""
        value = self.values.get(name)
        if isinstance(value, str):
            return [line.strip() for line in value.splitlines() if line.strip()]
        if isinstance(value, list | tuple):
            return [item for item in value if isinstance(item, str)]
        return []


def read_setup_py(text: str) -> SetupCall:
    """Find the ``setup()`` call in a setup.py and read its arguments."""
    try:
        return _read(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return SetupCall(unread=True)


def _read(tree: ast.Module) -> SetupCall:
    constants = _constants(tree)
    values: dict[str, object] = {}
    computed: set[str] = set()
    unread = False
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and _is_setup(node.func)):
            continue
        for argument in node.keywords:
            if argument.arg is None:
                known = _value(argument.value, constants)
                if isinstance(known, dict):
                    values |= {str(key): value for key, value in known.items()}
                else:
                    unread = True
                continue
            value = _value(argument.value, constants)
            if value is _UNKNOWN:
                computed.add(argument.arg)
            else:
                values[argument.arg] = value
    return SetupCall(values, frozenset(computed), unread)


_UNKNOWN = object()


def _is_setup(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id == "setup"
    return isinstance(function, ast.Attribute) and function.attr == "setup"


def _constants(tree: ast.Module) -> dict[str, object]:
    """Return the names that are given exactly one plain value at the top level, and nowhere changed."""
    found: dict[str, object] = {}
    changed: set[str] = set()
    top_level = {id(statement) for statement in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    if target.id in found or id(node) not in top_level or node.value is None:
                        changed.add(target.id)
                    else:
                        found[target.id] = _value(node.value, found)
                elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                    changed.add(target.value.id)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            changed.add(node.target.id)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            # name.append(…), name.update(…): any method call may change a list
            changed.add(node.func.value.id)
    return {name: value for name, value in found.items() if name not in changed}


def _value(node: ast.expr, constants: dict[str, object]) -> object:
    """Return a plain value, or ``_UNKNOWN``."""
    if isinstance(node, ast.Name):
        return constants.get(node.id, _UNKNOWN)
    if isinstance(node, ast.List | ast.Tuple):
        items: list[object] = []
        for element in node.elts:
            if isinstance(element, ast.Starred):
                spread = _value(element.value, constants)
                if not isinstance(spread, list):
                    return _UNKNOWN
                items += spread
            else:
                items.append(_value(element, constants))
        return _UNKNOWN if _UNKNOWN in items else items
    if isinstance(node, ast.Dict):
        keys = [_UNKNOWN if key is None else _value(key, constants) for key in node.keys]
        values = [_value(value, constants) for value in node.values]
        if any(not isinstance(key, str) for key in keys):
            return _UNKNOWN
        return {str(key): value for key, value in zip(keys, values, strict=True) if value is not _UNKNOWN}
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _value(node.left, constants), _value(node.right, constants)
        if isinstance(left, list) and isinstance(right, list):
            return left + right
        if isinstance(left, str) and isinstance(right, str):
            return left + right
        return _UNKNOWN
    try:
        literal: object = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _UNKNOWN
    return literal

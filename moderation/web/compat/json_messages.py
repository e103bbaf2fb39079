"""JSON as Google's services read it into their messages, and say what does not fit (proto3's JSON mapping).

A field may be written in lowerCamelCase or in snake_case; null is the same as absent; a number may be text.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

Read = Callable[[Any, str], Any]

_SNAKE = re.compile(r"_([a-z0-9])")


class Misfit(ValueError):
    """A value that no such message has. ``path``: where it stands; the message is worded as the services do."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(f"Invalid JSON payload received. {message}")
        self.path = path


def text(value: Any, path: str) -> str:
    """A string."""
    if isinstance(value, str):
        return value
    raise Misfit(f"Invalid value at '{path}' (TYPE_STRING).", path)


def truth(value: Any, path: str) -> bool:
    """A boolean."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise Misfit(f"Invalid value at '{path}' (TYPE_BOOL).", path)


def number(value: Any, path: str) -> float:
    """A finite number."""
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise Misfit(f"Invalid value at '{path}' (TYPE_FLOAT).", path)
    return found


def many(read: Read) -> Read:
    """A list of such values."""

    def read_all(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise Misfit(f"Invalid value at '{path}' (repeated field).", path)
        return [read(one, f"{path}[{at}]") for at, one in enumerate(value)]

    return read_all


def by_name(read: Read) -> Read:
    """A map from strings to such values."""

    def read_all(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Misfit(f"Invalid value at '{path}' (map field).", path)
        return {name: read(one, f"{path}.value") for name, one in value.items()}

    return read_all


def message(fields: Mapping[str, Read]) -> Read:
    """A message with these fields; what is absent is not in the result."""

    def read(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Misfit(f"Invalid value at '{path}' (message).", path)
        found = {}
        for name, one in value.items():
            known = name if name in fields else _SNAKE.sub(lambda match: match[1].upper(), name)
            if known not in fields:
                where = f" at '{path}'" if path else ""
                raise Misfit(f'Unknown name "{name[:100]}"{where}: Cannot find field.', path)
            if one is not None:
                found[known] = fields[known](one, f"{path}.{known}".lstrip("."))
        return found

    return read

"""Build dataclasses from the plain values that a rule passes as settings."""

from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from asdlib.errors import AsdError


def typed(cls: Any, value: Any, where: str = "settings") -> Any:
    """Convert a JSON-like value to the type `cls`.

    `cls` is a dataclass, a named tuple, `list[X]`, `dict[str, X]`, `X | None`, `Path`, `Any` or a plain type such as
    `int`. Dataclasses and named tuples are built from dictionaries, at any depth. An int is accepted for a float, and
    a tuple for a list.

    Raises AsdError for an unknown key, a missing key or a value of another type; `where` begins the message.
    """
    if cls is Any:
        return value
    if is_dataclass(cls) or hasattr(cls, "_fields"):
        return _built(cls, _expect(dict, value, where), where)
    origin, arguments = get_origin(cls), get_args(cls)
    if origin is list:
        items = list(value) if isinstance(value, tuple) else _expect(list, value, where)
        return [typed(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(items)]
    if origin is dict:
        return {key: typed(arguments[1], item, f"{where}.{key}") for key, item in _expect(dict, value, where).items()}
    if origin in (Union, UnionType):
        return _optional(arguments, value, where)
    if cls is Path:
        return value if isinstance(value, Path) else Path(_expect(str, value, where))
    if cls is float and type(value) is int:
        return float(value)
    return _expect(cls, value, where)


def _built(cls: Any, value: dict[str, Any], where: str) -> Any:
    start = f"{where}: " if where == "settings" else f"{where}."
    known = _fields(cls)
    for key in value:
        if key not in known:
            raise AsdError(f"{start}{key}: unknown key: use one of: {', '.join(sorted(known)) or 'none'}")
    for name, required in known.items():
        if required and name not in value:
            raise AsdError(f"{start}{name}: is missing: add it")
    types = get_type_hints(cls)
    return cls(**{key: typed(types[key], item, f"{start}{key}") for key, item in value.items()})


def _fields(cls: Any) -> dict[str, bool]:
    """Return {field: whether it is required} for a dataclass or a named tuple."""
    if is_dataclass(cls):
        return {one.name: one.default is MISSING and one.default_factory is MISSING for one in fields(cls)}
    return {name: name not in cls._field_defaults for name in cls._fields}


def _optional(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    chosen = [argument for argument in arguments if argument is not NoneType]
    if len(chosen) != 1 or len(arguments) != 2:
        raise TypeError(f"{where}: among unions, only X | None is supported")
    return None if value is None else typed(chosen[0], value, where)


def _expect(cls: type, value: Any, where: str) -> Any:
    if not isinstance(value, cls) or (isinstance(value, bool) and cls is not bool):
        raise AsdError(f"{where}: is {value!r}: give a value of type {cls.__name__}")
    return value

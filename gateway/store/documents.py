"""Documents to JSON text and back, without a table of fields: the dataclass is the table."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from gateway.store.database import instant, moment, pack

T = TypeVar("T")
AS_IT_IS = frozenset({str, int, bool, type(None)})


def dump(document: Any) -> str:
    """A frozen document as JSON text: decimals and instants as text, tuples and sets as lists."""
    return pack(_plain(document))


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """The fields of a kind of document; none for what is no document."""
    return tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()


def _plain(value: Any) -> Any:
    kind: Any = type(value)
    if kind in AS_IT_IS:
        return value
    if names := _names(kind):
        return {name: field if type(field := getattr(value, name)) in AS_IT_IS else _plain(field) for name in names}
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Decimal | date):
        return str(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def load(kind: type[T], text: str) -> T:
    """The document that `dump` wrote."""
    loaded: T = _build(kind, json.loads(text))
    return loaded


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _build(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if dataclasses.is_dataclass(kind):
        hints = _hints(typing.cast("type", kind))
        return typing.cast("Any", kind)(**{name: _build(hints[name], entry) for name, entry in value.items() if name in hints})
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _build(next(arm for arm in typing.get_args(kind) if arm is not type(None)), value)
    if origin in (tuple, frozenset):
        return origin(_build(typing.get_args(kind)[0], entry) for entry in value)
    return _leaf(kind, value)


def _leaf(kind: Any, value: Any) -> Any:
    if kind is Decimal:
        return Decimal(value)
    if kind is datetime:
        return moment(value)
    if kind is date:
        return date.fromisoformat(value)
    return kind(value) if isinstance(kind, type) and not isinstance(value, kind) else value

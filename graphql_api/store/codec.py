"""Entities to DynamoDB items and back, by converters made once per class from its annotations.

Stored forms: str S, int N, bool BOOL, datetime and date ISO 8601 S, enum its value, list L, dataclass M.
None is the absent attribute, so an optional index key leaves its sparse index by being None.
"""

import dataclasses
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar

T = TypeVar("T")
AttributeValue = Mapping[str, Any]
Item = dict[str, AttributeValue]


@dataclasses.dataclass(frozen=True, slots=True)
class Converter:
    """How one annotation is stored: `encode` makes an AttributeValue of a value that is not None."""

    encode: Callable[[Any], AttributeValue]
    decode: Callable[[AttributeValue], Any]


def _datetime_to_text(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds")


_SCALARS: dict[type, Converter] = {
    str: Converter(lambda value: {"S": value}, lambda stored: stored["S"]),
    int: Converter(lambda value: {"N": str(value)}, lambda stored: int(stored["N"])),
    bool: Converter(lambda value: {"BOOL": value}, lambda stored: stored["BOOL"]),
    datetime: Converter(
        lambda value: {"S": _datetime_to_text(value)},
        lambda stored: datetime.fromisoformat(stored["S"]),
    ),
    date: Converter(lambda value: {"S": value.isoformat()}, lambda stored: date.fromisoformat(stored["S"])),
}


def _converter(annotation: Any) -> Converter:
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        (annotation,) = (arm for arm in typing.get_args(annotation) if arm is not NoneType)
        return _converter(annotation)
    if typing.get_origin(annotation) is list:
        return _list_converter(_converter(typing.get_args(annotation)[0]))
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if issubclass(annotation, Enum):
        return Converter(lambda value: {"S": value.value}, lambda stored: annotation(stored["S"]))
    nested: type[Any] = annotation
    return Converter(lambda value: {"M": encode(value)}, lambda stored: decode(nested, stored["M"]))


def _list_converter(element: Converter) -> Converter:
    return Converter(
        lambda value: {"L": [element.encode(entry) for entry in value]},
        lambda stored: [element.decode(entry) for entry in stored["L"]],
    )


@cache
def converters(cls: type) -> tuple[tuple[str, Converter], ...]:
    """Name and converter of every stored attribute of a dataclass: those that its constructor takes."""
    hints = typing.get_type_hints(cls)
    return tuple((f.name, _converter(hints[f.name])) for f in dataclasses.fields(cls) if f.init)


def encode(value: Any) -> Item:
    """The item of a dataclass instance, without keys; an attribute that is None is left out."""
    return {
        name: converter.encode(attribute)
        for name, converter in converters(value.__class__)
        if (attribute := getattr(value, name)) is not None
    }


def decode(cls: type[T], item: Mapping[str, AttributeValue]) -> T:
    """The dataclass that `item` stores. Attributes it does not know are ignored; absent ones take
    the class's default, so that items written by an older or newer version still load.
    """
    return cls(
        **{
            name: converter.decode(stored)
            for name, converter in converters(cls)
            if (stored := item.get(name)) is not None
        }
    )

"""Values of custom fields: from a client's input into one text for each, and from that text to what is shown.

TEXT     one line of at most 200 characters, trimmed, in NFC; upper and lower case differ
NUMBER   an exact decimal of at most 15 digits before the point and 6 behind it
BOOLEAN  true or false
DATE     a calendar date
CHOICE   one of the field's options
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import strawberry

from graphql_api import inputs
from graphql_api.custom_fields.definition import (
    MAX_FIELDS,
    MAX_OPTION,
    CustomField,
    CustomFields,
    CustomFieldType,
)
from graphql_api.errors import ConflictError, InvalidInputError

WHOLE_DIGITS, FRACTION_DIGITS = 15, 6
_MEMBERS = {of: of.lower() for of in CustomFieldType}
_READ: dict[CustomFieldType, Callable[[str], Any]] = {
    CustomFieldType.NUMBER: Decimal,
    CustomFieldType.BOOLEAN: "true".__eq__,
    CustomFieldType.DATE: dt.date.fromisoformat,
}


@strawberry.input(
    description="A value of a custom field: its key, and what its type names of the rest. null clears it."
)
class CustomFieldInput:
    key: str
    text: strawberry.Maybe[str | None]
    number: strawberry.Maybe[Decimal | None] = strawberry.field(
        description=f"At most {WHOLE_DIGITS} digits before the point and {FRACTION_DIGITS} behind it. As a "
        "string it is exact."
    )
    boolean: strawberry.Maybe[bool | None]
    date: strawberry.Maybe[dt.date | None]
    choice: strawberry.Maybe[str | None]


@strawberry.type(description="A task's value of a custom field, in that of the last five which `type` names.")
class CustomFieldValue:
    key: str
    name: str
    type: CustomFieldType
    text: str | None = None
    number: Decimal | None = None
    boolean: bool | None = None
    date: dt.date | None = None
    choice: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class StoredValue:
    """A value in its one form: equal values are equal texts."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """A value to set, None to clear; `slot` is that of its field."""

    key: str
    value: str | None
    slot: int | None


@dataclass(frozen=True, slots=True)
class Assignments:
    """What a mutation sets, by the definitions as they were then."""

    fields: CustomFields | None
    each: Sequence[Assignment] = ()

    def onto(
        self, values: Sequence[StoredValue], slots: Sequence[str]
    ) -> tuple[list[StoredValue], list[str]]:
        """A task's values, and for each slot the key whose value it holds ("" for none), after the change.

        Raises ConflictError where a slot has been given to a field since the definitions were read.
        """
        held = {stored.key: stored.value for stored in values}
        holders = [*slots, *[""] * (max((a.slot for a in self.each if a.slot is not None), default=-1) + 1)]
        for one in self.each:
            held.pop(one.key, None)
            holders = ["" if key == one.key else key for key in holders]
            if one.value is not None:
                held[one.key] = one.value
                if one.slot is not None:
                    self._require_known(holders[one.slot])
                    holders[one.slot] = one.key
        while holders and not holders[-1]:
            holders.pop()
        return sorted(StoredValue(key, value) for key, value in held.items()), holders

    def _require_known(self, key: str) -> None:
        if key and (self.fields is None or self.fields.field(key) is None):
            raise ConflictError("The custom fields were changed in the meantime; try again.")


def assignments(fields: CustomFields | None, given: Sequence[CustomFieldInput]) -> Assignments:
    """What the inputs ask for. Raises InvalidInputError, which names the field and its key."""
    keys = {each.key for each in given}
    if len(given) > MAX_FIELDS or len(keys) < len(given):
        raise InvalidInputError(f"Give at most {MAX_FIELDS} custom fields, each once.", "customFields")
    return Assignments(fields, [_assignment(fields, each) for each in given])


def _assignment(fields: CustomFields | None, given: CustomFieldInput) -> Assignment:
    field, path = field_of(fields, given, "customFields")
    if field.archived:
        raise InvalidInputError(f"The custom field {field.key} is archived.", path)
    value = canonical(field, given, path)
    if value is not None and field.type is CustomFieldType.CHOICE and value not in field.options:
        raise InvalidInputError(f"{path} must be one of: {', '.join(field.options)}.", path)
    return Assignment(field.key, value, field.slot)


def field_of(fields: CustomFields | None, given: CustomFieldInput, path: str) -> tuple[CustomField, str]:
    """The field an input means, and the path of its value. Raises InvalidInputError for an unknown key."""
    field = fields.field(given.key) if fields else None
    if field is None:
        raise InvalidInputError(f"There is no custom field {given.key[:40]!r}.", f"{path}.key")
    return field, f"{path}.{field.key}"


def canonical(field: CustomField, given: CustomFieldInput, path: str) -> str | None:
    """The value given, in its one form; None for null. Raises InvalidInputError for one of another type."""
    members = [of for of, name in _MEMBERS.items() if getattr(given, name) is not None]
    if members != [field.type]:
        raise InvalidInputError(f"{path} takes {_MEMBERS[field.type]}, and nothing besides.", path)
    value = getattr(given, _MEMBERS[field.type]).value
    return None if value is None else _text_of(field.type, value, path)


def _text_of(of: CustomFieldType, value: Any, path: str) -> str:
    match of:
        case CustomFieldType.TEXT:
            return inputs.line(value, path)
        case CustomFieldType.CHOICE:
            return inputs.line(value, path, most=MAX_OPTION)
        case CustomFieldType.NUMBER:
            return _number(value, path)
        case CustomFieldType.BOOLEAN:
            return "true" if value else "false"
        case CustomFieldType.DATE:
            return value.isoformat()


def _number(value: Decimal, path: str) -> str:
    if value.is_zero():
        return "0"
    # Before anything is made of it: 1e999999 is short, and its digits are not.
    is_within = value.is_finite() and -FRACTION_DIGITS <= value.adjusted() < WHOLE_DIGITS
    if not is_within or value != round(value, FRACTION_DIGITS):
        digits = f"{WHOLE_DIGITS} digits before the point and {FRACTION_DIGITS} behind it"
        raise InvalidInputError(f"{path} must have at most {digits}.", path)
    return f"{value:.{FRACTION_DIGITS}f}".rstrip("0").rstrip(".")


def shown(fields: CustomFields, values: Sequence[StoredValue]) -> list[CustomFieldValue]:
    """The values of a task, in the order of the fields."""
    held = {stored.key: stored.value for stored in values}
    return [_shown(field, held[field.key]) for field in fields.fields if field.key in held]


def _shown(field: CustomField, value: str) -> CustomFieldValue:
    member: dict[str, Any] = {_MEMBERS[field.type]: _READ.get(field.type, str)(value)}
    return CustomFieldValue(key=field.key, name=field.name, type=field.type, **member)

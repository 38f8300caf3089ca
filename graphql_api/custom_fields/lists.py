"""The lists of tasks that agree in the value of a custom field: each is one partition of one index."""

from collections.abc import Sequence

from graphql_api.custom_fields.definition import CUSTOM_FIELDS_UID, CustomFields
from graphql_api.custom_fields.value import CustomFieldInput, StoredValue, canonical, field_of
from graphql_api.errors import InvalidInputError
from graphql_api.store.keys import digest
from graphql_api.store.repository import Repository
from graphql_api.store.schema import SLOTS, Index

Path = tuple[str, ...]
_FILTER = "filter.customField"


def value_path(key: str, value: str) -> Path:
    """The partition of the tasks that have this value."""
    return ("FIELD", key, digest(value))


def slot_paths(values: Sequence[StoredValue], holders: Sequence[str]) -> list[Path | None]:
    """For each slot the partition that a task stands in there."""
    held = {stored.key: stored.value for stored in values}
    return [value_path(key, held[key]) if key in held else None for key in holders]


async def tasks_with(repository: Repository, wanted: CustomFieldInput) -> tuple[Index, Path]:
    """Where the tasks stand that have a value. Raises InvalidInputError for what cannot be filtered by."""
    field, path = field_of(await repository.find(CustomFields, CUSTOM_FIELDS_UID), wanted, _FILTER)
    if field.slot is None:
        raise InvalidInputError(f"Tasks cannot be filtered by {field.key}.", path)
    value = canonical(field, wanted, path)
    if value is None:
        raise InvalidInputError(f"{path} cannot be null: tasks without a value are in no list.", path)
    return SLOTS[field.slot], value_path(field.key, value)

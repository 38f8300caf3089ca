"""How a tenant defines the custom fields of its tasks."""

import dataclasses
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import strawberry

from graphql_api import inputs
from graphql_api.audit.acts import audited
from graphql_api.audit.entry import AuditKind
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least, require_feature
from graphql_api.auth.plan import PlanFeature
from graphql_api.context import Info
from graphql_api.custom_fields.definition import (
    CUSTOM_FIELDS_UID,
    MAX_FIELDS,
    MAX_FIELDS_EVER,
    MAX_FILTERABLE,
    MAX_OPTION,
    MAX_OPTIONS,
    CustomField,
    CustomFields,
    CustomFieldType,
)
from graphql_api.errors import ConflictError, InvalidInputError, NotFoundError
from graphql_api.feature import Feature, once
from graphql_api.results import Problem
from graphql_api.store.idempotency import Mark
from graphql_api.store.repository import Repository
from graphql_api.task_lists import STATE_KEY

MAX_NAME = 80


@strawberry.input(description="A new field of your tenant's tasks.")
class CreateCustomFieldInput:
    key: str = strawberry.field(description="Lower-case letters, digits and _, at most 40; never another.")
    name: str
    type: CustomFieldType
    options: list[str] = strawberry.field(
        default_factory=list[str],
        description=f"For a CHOICE, and for nothing else: 1 to {MAX_OPTIONS} of {MAX_OPTION} characters.",
    )
    filterable: bool = strawberry.field(
        default=False,
        description=f"Whether tasks can be filtered by it: {MAX_FILTERABLE} fields at most, and for good.",
    )
    idempotency_key: str | None = None


@strawberry.input(description="Changes to a custom field; what is left out stays as it is.")
class UpdateCustomFieldInput:
    key: str
    name: strawberry.Maybe[str | None]
    options: strawberry.Maybe[list[str] | None] = strawberry.field(
        description="All options. Tasks keep a value that is no longer among them."
    )
    archived: strawberry.Maybe[bool | None] = strawberry.field(
        description="An archived field gives up for good that tasks can be filtered by it."
    )
    expected_version: int | None = None
    idempotency_key: str | None = None


@strawberry.type
class CreateCustomFieldPayload:
    custom_fields: CustomFields


@strawberry.type
class UpdateCustomFieldPayload:
    custom_fields: CustomFields


CreateCustomFieldResult = Annotated[
    CreateCustomFieldPayload | Problem, strawberry.union("CreateCustomFieldResult")
]
UpdateCustomFieldResult = Annotated[
    UpdateCustomFieldPayload | Problem, strawberry.union("UpdateCustomFieldResult")
]


async def _defined(repository: Repository) -> CustomFields:
    """The definitions as they are; made by whoever is first to need them."""
    if await repository.fresh().find(CustomFields, CUSTOM_FIELDS_UID) is None:
        first = repository.new(CustomFields, uid=CUSTOM_FIELDS_UID)
        with suppress(ConflictError):  # Somebody else was first.
            await repository.commit(repository.put(first), leaves=[first])
    return await repository.fresh().get(CustomFields, CUSTOM_FIELDS_UID)


async def _create(repository: Repository, payload: CreateCustomFieldInput, mark: Mark) -> CustomFields:
    require_feature(repository.stamp.actor, PlanFeature.CUSTOM_FIELDS)
    if not STATE_KEY.match(payload.key):
        raise InvalidInputError("A key is a lower-case letter, then letters, digits and _.", "key")
    field = CustomField(
        key=payload.key,
        name=inputs.line(payload.name, "name", most=MAX_NAME),
        type=payload.type,
        options=_options(payload.type, payload.options),
    )

    def added(now: CustomFields) -> CustomFields:
        if now.field(field.key) is not None:
            raise ConflictError(f"There is a custom field {field.key} already.", now)
        _require_room(now)
        slot = now.free_slot if payload.filterable else None
        if payload.filterable and slot is None:
            raise InvalidInputError(f"At most {MAX_FILTERABLE} custom fields are filterable.", "filterable")
        return dataclasses.replace(now, fields=[*now.fields, dataclasses.replace(field, slot=slot)])

    return await repository.update(await _defined(repository), added, expected_version=None, mark=mark)


def _require_room(now: CustomFields) -> None:
    if len(now.in_use) >= MAX_FIELDS or len(now.fields) >= MAX_FIELDS_EVER:
        bounds = f"{MAX_FIELDS} custom fields in use, and {MAX_FIELDS_EVER} with archived ones"
        raise InvalidInputError(f"A tenant has at most {bounds}.")


async def _update(repository: Repository, payload: UpdateCustomFieldInput, mark: Mark) -> CustomFields:
    require_feature(repository.stamp.actor, PlanFeature.CUSTOM_FIELDS)
    changes = inputs.patch(
        name=(payload.name, lambda given: inputs.line(inputs.present(given, "name"), "name", most=MAX_NAME)),
        archived=(payload.archived, lambda given: inputs.present(given, "archived")),
        options=(payload.options, lambda given: inputs.present(given, "options")),
    )

    def changed(now: CustomFields) -> CustomFields:
        field = now.field(payload.key)
        if field is None:
            raise NotFoundError(CustomFields.noun)
        later = dataclasses.replace(field, **changes)
        if later.options is not field.options:
            later.options = _options(later.type, later.options)
        if later.archived:
            later.slot = None
        elif field.archived and len(now.in_use) >= MAX_FIELDS:
            raise InvalidInputError(f"A tenant has at most {MAX_FIELDS} custom fields in use.", "archived")
        return dataclasses.replace(now, fields=[later if each is field else each for each in now.fields])

    fields = await repository.fresh().get(CustomFields, CUSTOM_FIELDS_UID)
    return await repository.update(fields, changed, expected_version=payload.expected_version, mark=mark)


def _options(of: CustomFieldType, given: Sequence[str]) -> list[str]:
    if of is not CustomFieldType.CHOICE:
        if given:
            raise InvalidInputError("Only a CHOICE has options.", "options")
        return []
    if not 1 <= len(given) <= MAX_OPTIONS:
        raise InvalidInputError(f"A CHOICE has 1 to {MAX_OPTIONS} options.", "options")
    options = [inputs.line(option, "options", most=MAX_OPTION) for option in given]
    if len(set(options)) < len(options):
        raise InvalidInputError("Options must be distinct.", "options")
    return options


@strawberry.type
class CustomFieldQuery:
    @strawberry.field(
        description="The fields that your tenant adds to its tasks; null before the first one.",
        permission_classes=[at_least(Role.VIEWER)],
    )
    async def custom_fields(self, info: Info) -> CustomFields | None:
        return await info.context.repository.find(CustomFields, CUSTOM_FIELDS_UID)


@strawberry.type
class CustomFieldMutation:
    @strawberry.mutation(
        description="Add a field to your tenant's tasks. Your plan needs CUSTOM_FIELDS.",
        permission_classes=[at_least(Role.ADMIN)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def create_custom_field(
        self, info: Info, input: CreateCustomFieldInput
    ) -> CreateCustomFieldResult | None:
        fields = await once(info.context.repository, info, input, CustomFields, _create)
        return CreateCustomFieldPayload(custom_fields=fields)

    @strawberry.mutation(
        description="Rename, archive or reopen a custom field, or change its options. Your plan needs "
        "CUSTOM_FIELDS.",
        permission_classes=[at_least(Role.ADMIN)],
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def update_custom_field(
        self, info: Info, input: UpdateCustomFieldInput
    ) -> UpdateCustomFieldResult | None:
        fields = await once(info.context.repository, info, input, CustomFields, _update)
        return UpdateCustomFieldPayload(custom_fields=fields)


FEATURE = Feature(nodes=(CustomFields,), query=CustomFieldQuery, mutation=CustomFieldMutation)

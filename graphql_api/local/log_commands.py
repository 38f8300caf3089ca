"""verify-log, reconcile and begin-epoch: tenants' change logs from the command line, here or on AWS."""

import argparse
import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

from graphql_api.bootstrap import Services, build_services
from graphql_api.changes.change import Change
from graphql_api.changes.history import History
from graphql_api.changes.log import MAX_SEGMENT_CHANGES, ChangeLog
from graphql_api.changes.reconcile import Address, Finding, Reconciler, listed
from graphql_api.changes.verify import Anchor, BrokenLogError, Verifier
from graphql_api.deadline import Deadline
from graphql_api.features.api_keys.api_key import ALL_KEYS
from graphql_api.features.projects import PROJECTS
from graphql_api.features.tasks.task import Task, comments_of
from graphql_api.features.tenants import REGISTRATIONS, Tenant
from graphql_api.features.users import USERS
from graphql_api.features.workflows.workflow import WORKFLOW_UID, Workflow
from graphql_api.local.head_commands import print_keys, trusted
from graphql_api.local.installation import STATE_DIR, Installation
from graphql_api.realtime.connections import Connections
from graphql_api.settings import Settings
from graphql_api.sources import Sources
from graphql_api.store.entity import entity_class, key_of
from graphql_api.store.keys import PLATFORM, Family, MalformedKeyError, tenant_family, tenant_of
from graphql_api.store.repository import together
from graphql_api.store.table import StoreBusyError, Table
from graphql_api.task_lists import Whose, tasks_wanted

PATIENCE_SECONDS = 10.0
MAX_PATIENCE_SECONDS = 3600.0
LONGEST_SECONDS = 24 * 3600.0  # seconds that one command may take
_SOCKETS_AT_ONCE = 50

T = TypeVar("T")


def patience(text: str) -> float:
    """The argument of --patience."""
    seconds = float(text)
    if not 0 <= seconds <= MAX_PATIENCE_SECONDS:
        raise argparse.ArgumentTypeError(f"from 0 to {MAX_PATIENCE_SECONDS:.0f} seconds")
    return seconds


def verify_log(arguments: argparse.Namespace) -> None:
    """Print where the log ends; SystemExit with the first thing that is wrong."""
    given, keys = arguments.anchor, arguments.keys

    async def verify(log: TenantLog) -> None:
        await _verify(log, await trusted(given, log.slug, keys, log.signer))

    asyncio.run(_on_tenant(arguments.tenant, verify))


def head_keys(_: argparse.Namespace) -> None:
    """Print the key set that signed heads are verified with."""
    print_keys(_built().signer)


def reconcile(arguments: argparse.Namespace) -> None:
    """Print what the log missed, and log it if asked to; SystemExit if something stays missing."""
    wait, repair = timedelta(seconds=arguments.patience), arguments.repair
    asyncio.run(_on_tenant(arguments.tenant, lambda log: _reconcile(log, wait, repair=repair)))


def begin_epoch(arguments: argparse.Namespace) -> None:
    """Begin a new epoch of one tenant's log, or of all; print of each where it begins."""
    if arguments.tenant:
        asyncio.run(_on_tenant(arguments.tenant, _begin_epoch_of_existing))
    else:
        asyncio.run(_on_all_tenants(_begin_epoch))


class TenantLog:
    """One tenant's log and data, for a command."""

    def __init__(self, services: Services, family: Family) -> None:
        deadline, sources = Deadline.after(LONGEST_SECONDS), services.sources
        self.family = family
        self.signer = services.signer
        self.sources: Sources = sources
        self.connections = Connections(services.realtime, deadline)
        self.data = Table(sources.database, family, deadline)
        self.log: ChangeLog = sources.change_log(family, deadline)
        self.history = History(sources.control(family, deadline), family)

    @property
    def slug(self) -> str:
        return tenant_of(self.family)

    async def exists(self) -> bool:
        """Whether anything was ever founded under this slug."""
        return bool(await self.data.batch_get([key_of(self.family, Tenant, self.slug)]))

    async def addresses(self) -> AsyncGenerator[Address]:
        """The tenant's entities that stand in a list, and the two that there is one of. What is deleted is in
        none, and of a deleted task neither are its comments.
        """
        yield Address(Tenant.kind, self.slug)
        yield Address(Workflow.kind, WORKFLOW_UID)
        agenda = tasks_wanted(Whose(), None, None, self.sources.now().date())
        for wanted in (USERS, ALL_KEYS, PROJECTS, agenda):
            async for address in listed(self.data, self.family, wanted):
                yield address
                if address.kind == Task.kind:
                    async for comment in listed(self.data, self.family, comments_of(address.uid)):
                        yield comment


async def _on_tenant(slug: str, act: Callable[[TenantLog], Awaitable[T]]) -> T:
    try:
        family = tenant_family(slug)
    except MalformedKeyError:
        raise SystemExit("There is no such tenant.") from None
    async with services_here() as services:
        return await act(TenantLog(services, family))


async def _on_all_tenants(act: Callable[[TenantLog], Awaitable[object]]) -> None:
    """One after the other, by slug."""
    async with services_here() as services:
        registry = Table(services.sources.database, PLATFORM, Deadline.after(LONGEST_SECONDS))
        async for registration in listed(registry, PLATFORM, REGISTRATIONS):
            await act(TenantLog(services, tenant_family(registration.uid)))


@asynccontextmanager
async def services_here() -> AsyncGenerator[Services]:
    """Those of the environment or of the server that runs here, with their tables open."""
    services = _built()
    await services.sources.database.open()
    try:
        yield services
    except StoreBusyError:
        raise SystemExit("The tables do not answer; is the server, or the way to AWS, up?") from None
    finally:
        await services.close()


def _built() -> Services:
    """Of the environment where it names a table, else of the server that runs on this machine."""
    if os.environ.get("TABLE_NAME"):
        return build_services(Settings.from_env())
    installation = Installation.at(STATE_DIR)
    endpoint = installation.announced()
    if endpoint is None:
        raise SystemExit("No server runs here and TABLE_NAME is not set; start one with `make serve`.")
    settings = installation.settings(port=0, dynamodb_endpoint=endpoint)
    return build_services(settings, signer=installation.signer)


async def _verify(tenant: TenantLog, known: Anchor | None) -> None:
    sources = tenant.sources
    verifier = Verifier(tenant.log, known, now=sources.now, retention=sources.log_retention)
    try:
        found = await verifier.run()
    except BrokenLogError as error:
        raise SystemExit(f"The log of {tenant.slug} is broken. {error}") from None
    if not found.end.sequence:
        raise SystemExit(f"Nothing is logged for {tenant.slug}.")
    print(f"The log of {tenant.slug} holds together from {found.first} to {found.end.sequence}.")
    print(f"Anchor: {found.end}")


async def _reconcile(tenant: TenantLog, wait: timedelta, *, repair: bool) -> None:
    if not await tenant.exists():
        raise SystemExit("There is no such tenant.")
    sources = tenant.sources
    reconciler = Reconciler(
        tenant.data,
        tenant.history,
        tenant.family,
        now=sources.now,
        retention=sources.log_retention,
        patience=wait,
    )
    report = _Report(tenant.log, repair=repair)
    async for finding in reconciler.findings(tenant.addresses()):
        await report.add(finding)
    await report.end()


async def _begin_epoch_of_existing(tenant: TenantLog) -> None:
    if not await tenant.exists():
        raise SystemExit("There is no such tenant.")
    await _begin_epoch(tenant)


async def _begin_epoch(tenant: TenantLog) -> None:
    head = await tenant.log.begin_epoch()
    if not head.sequence:
        print(f"Nothing is logged for {tenant.slug}; its first change begins an epoch.")
        return
    # Who listens holds what is no longer so; unknown sockets are closed at their next word, and come back.
    owners = await tenant.connections.sockets.census(tenant.slug).everybody()
    sockets = [socket.id for owner in owners for socket in owner.sockets]
    for start in range(0, len(sockets), _SOCKETS_AT_ONCE):
        await together(map(tenant.connections.forget, sockets[start : start + _SOCKETS_AT_ONCE]))
    place = f"begins behind change {head.sequence}"
    print(f"A new epoch of {tenant.slug} {place}; {len(sockets)} sockets forgotten.")


class _Report:
    """Tells what is found, and logs it if asked to, as many at once as one transaction takes."""

    def __init__(self, log: ChangeLog, *, repair: bool) -> None:
        self._log = log
        self._repair = repair
        self._found = 0
        self._logged = 0
        self._pending: list[Change] = []

    async def add(self, finding: Finding) -> None:
        print(_told(finding))
        self._found += 1
        if self._repair and finding.change is not None:
            self._pending.append(finding.change)
        if len(self._pending) == MAX_SEGMENT_CHANGES:
            await self._flush()

    async def end(self) -> None:
        """Raises SystemExit if something is still missing."""
        await self._flush()
        if not self._found:
            print("Nothing is missing in the log.")
        elif self._logged == self._found:
            print(f"{self._found} missing in the log, and logged now.")
        elif self._repair:
            raise SystemExit(f"{self._found} missing in the log, {self._logged} of them logged now.")
        else:
            raise SystemExit(f"{self._found} missing in the log; --repair logs what can be read.")

    async def _flush(self) -> None:
        await self._log.append(self._pending)
        self._logged += len(self._pending)
        self._pending = []


def _told(finding: Finding) -> str:
    noun = entity_class(finding.address.kind).noun
    known = "nothing of it" if finding.logged is None else f"version {finding.logged}"
    what = "cannot be read" if finding.change is None else f"is at version {finding.change.version}"
    return f"{noun} {finding.address.uid} {what}; the log has {known}."

"""The composition root: the only place that chooses implementations."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial

from graphql_api.audit.entry import AuditEvent, AuditKind, AuditOutcome
from graphql_api.audit.heads import Signer
from graphql_api.audit.recording import Audit, note
from graphql_api.auth.api_keys import ApiKeyVerifier
from graphql_api.auth.identity import Identity
from graphql_api.auth.keys import JwksKeys
from graphql_api.auth.membership import Memberships, StrangerError
from graphql_api.auth.secret_text import API_KEY
from graphql_api.auth.tokens import Claims, ExpiredTokenError, TokenVerifier
from graphql_api.changes.counts import Counts
from graphql_api.context import RequestContext
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError, ForbiddenError, UnauthenticatedError
from graphql_api.metering.bucket import Bucket
from graphql_api.metering.budget import Budgets
from graphql_api.metering.field_rates import FieldRates
from graphql_api.metering.ledger import Ledger
from graphql_api.metering.limits import Limits
from graphql_api.metering.metrics import Metrics
from graphql_api.metering.month import Months
from graphql_api.metering.usage import FLUSH_SECONDS, Usage
from graphql_api.operations import Operations
from graphql_api.outbound.outbound import Outbound
from graphql_api.readers import KeyReader, MembershipReader, erased
from graphql_api.realtime.gateway import ApiGateway, Gateway
from graphql_api.realtime.services import MEMBERSHIP_SECONDS, RealtimeServices
from graphql_api.realtime.subscriptions import Groups
from graphql_api.realtime.trial import Trial
from graphql_api.schema import build_schema
from graphql_api.settings import Settings
from graphql_api.sinks.bus import BusSink
from graphql_api.sinks.lines import ChangeLines
from graphql_api.sinks.sink import Bus, Sink
from graphql_api.sources import Sources
from graphql_api.store.client import Database
from graphql_api.store.cursor import Seals
from graphql_api.store.event_bus import EventBus
from graphql_api.store.exports import exports_of
from graphql_api.store.keys import Family
from graphql_api.store.queue import Queue, SqsQueue
from graphql_api.store.secrets import CursorSecrets
from graphql_api.store.signing import KmsSigner
from graphql_api.store.table import Table
from graphql_api.store.uid import new_uid
from graphql_api.webhooks.services import WebhookServices

# A stranger is none of the tenant's, and whose token has expired may be one, or the tenant gone.
NOBODYS = (StrangerError, ExpiredTokenError)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a door needs, built once for a process. `open` it on the loop that will serve."""

    settings: Settings
    sources: Sources
    operations: Operations
    verifier: TokenVerifier
    api_keys: ApiKeyVerifier
    memberships: Memberships
    gateway: Gateway
    groups: Groups
    queue: Queue
    listeners: Memberships
    secrets: CursorSecrets
    budgets: Budgets
    usage: Usage
    audit: Audit
    sinks: tuple[Sink, ...]
    signer: Signer | None

    async def authenticate(self, token: str) -> Identity:
        """The caller a token or an API key names. Raises UnauthenticatedError or ForbiddenError."""
        claims = await self.verify(token)
        try:
            identity = await self.memberships.identify(claims)
        except ForbiddenError as error:
            note(_of_token(AuditKind.ACCESS_DENIED, claims, error))
            raise
        note(_of_token(AuditKind.TOKEN_USED, claims))
        return identity

    async def verify(self, token: str) -> Claims:
        """What a token or an API key says: its beginning tells which it is. Raises UnauthenticatedError."""
        verifier = self.api_keys if token.startswith(API_KEY) else self.verifier
        try:
            return await verifier.verify(token)
        except UnauthenticatedError as error:
            claims = error.claims if isinstance(error, ExpiredTokenError) else None
            note(_of_token(AuditKind.TOKEN_REFUSED, claims, error))
            raise

    def new_context(
        self,
        identity: Identity | None,
        *,
        request_id: str,
        deadline: Deadline,
        address: str | None = None,
    ) -> RequestContext:
        return RequestContext(self.sources, identity, request_id, deadline, address=address)

    @property
    def realtime(self) -> RealtimeServices:
        """What the doors of real time need of them."""
        return RealtimeServices(
            sources=self.sources,
            operations=self.operations,
            memberships=self.listeners,
            verify=self.verify,
            stands=self.api_keys.stands,
            gateway=self.gateway,
            groups=self.groups,
            queue=self.queue,
            allowed_origins=self.settings.allowed_origins,
            usage=self.usage,
            sinks=self.sinks,
        )

    @property
    def webhooks(self) -> WebhookServices:
        """What delivery to webhooks needs of them."""
        return WebhookServices(self.sources, self.operations, self.listeners, self.queue, self.usage)

    @property
    def are_open(self) -> bool:
        """Whether an invocation may begin; where not, `open` does what is missing."""
        return self.sources.database.is_open and self.secrets.are_fresh

    async def open(self) -> None:
        """Connect what is not connected, read again what has to be; calling it once more changes nothing."""
        await self.secrets.refresh()
        await self.gateway.open()
        await self.sources.database.open()

    async def close(self) -> None:
        for sink in self.sinks:
            await sink.close()
        if self.signer is not None:
            await self.signer.close()
        await self.secrets.close()
        await self.gateway.close()
        await self.queue.close()
        await self.sources.database.close()


def build_services(
    settings: Settings,
    *,
    now: Callable[[], datetime] = utc_now,
    make_uid: Callable[[], str] = new_uid,
    database: Database | None = None,
    bus: Bus | None = None,
    signer: Signer | None = None,
    flush_seconds: float = FLUSH_SECONDS,
) -> Services:
    """The services of one installation; nothing is connected before `open`. Usage is written every
    `flush_seconds` at most.

    `database`, `bus` and `signer` stand for those that the settings name.
    """
    database = database or Database(settings)
    seals = Seals(settings.cursor_secrets)
    memberships = Memberships(MembershipReader(database).read, clock=time.time)
    usage = Usage(partial(_control, database), now, flush_seconds, partial(erased, database))
    sources = Sources(
        database=database,
        seals=seals,
        now=now,
        new_uid=make_uid,
        log_retention=settings.log_retention,
        counts=Counts(now),
        renewed=memberships.renewed,
        sign_up=settings.sign_up,
        exports=exports_of(settings, database),
        overhead=usage.overhead,
        outbound=Outbound(settings.webhook_allowed_networks, is_development=settings.is_development),
    )
    return _services(settings, sources, memberships, usage, _sinks(settings, seals, bus), signer)


def _services(
    settings: Settings,
    sources: Sources,
    memberships: Memberships,
    usage: Usage,
    sinks: tuple[Sink, ...],
    signer: Signer | None,
) -> Services:
    database = sources.database
    budgets, rates = _budgets(sources), FieldRates(partial(_bucket, sources))
    metrics = Metrics(settings.metrics_namespace)
    operations = Operations(build_schema(), Limits(), settings.profile, budgets, rates, usage, metrics)
    return Services(
        settings=settings,
        sources=replace(sources, topic_of=Trial(operations).topic_of),
        operations=operations,
        budgets=budgets,
        usage=usage,
        audit=Audit(sources.control, sources.now, settings.log_retention),
        sinks=sinks,
        signer=signer or (KmsSigner(settings, settings.head_key_arn) if settings.head_key_arn else None),
        verifier=TokenVerifier(
            JwksKeys(settings.jwks_url), settings.issuer, settings.audience, settings.subject_claim
        ),
        api_keys=ApiKeyVerifier(KeyReader(database).read, clock=time.time),
        memberships=memberships,
        listeners=Memberships(MembershipReader(database).read, MEMBERSHIP_SECONDS, clock=time.time),
        gateway=ApiGateway(settings),
        groups=Groups(),
        queue=SqsQueue(settings),
        secrets=CursorSecrets(settings, sources.seals, sources.now),
    )


def _control(database: Database, family: Family, deadline: Deadline) -> Table:
    """The control table for metering itself, which is on nobody's account: it would never come to rest."""
    return Table(database, family, deadline, database.control_table_name)


def _sinks(settings: Settings, seals: Seals, bus: Bus | None) -> tuple[Sink, ...]:
    lines = (ChangeLines(),) if settings.audit_stream else ()
    if bus is None and settings.event_bus_name is not None:
        bus = EventBus(settings, settings.event_bus_name)
    return lines if bus is None else (*lines, BusSink(bus, seals))


def _of_token(kind: AuditKind, claims: Claims | None, error: ApiError | None = None) -> AuditEvent:
    """Of a tenant only if somebody of it comes, be they suspended; of the platform otherwise."""
    return AuditEvent(
        kind=kind,
        outcome=AuditOutcome.SUCCEEDED if error is None else AuditOutcome.REFUSED,
        tenant=None if claims is None or isinstance(error, NOBODYS) else claims.tenant,
        actor=claims.subject if claims else None,
        code=error.code.value if error else None,
    )


def _budgets(sources: Sources) -> Budgets:
    def bucket(family: Family, deadline: Deadline) -> Bucket:
        return _bucket(sources, family, (), deadline)

    async def points(family: Family, day: date, deadline: Deadline) -> int:
        return await Ledger(_control(sources.database, family, deadline), family).points_in_month(day)

    return Budgets(bucket, lambda: sources.now().timestamp(), Months(points, sources.now))


def _bucket(sources: Sources, family: Family, path: tuple[str, ...], deadline: Deadline) -> Bucket:
    table = _control(sources.database, family, deadline)
    return Bucket(table, family, lambda: int(sources.now().timestamp() * 1000), path)

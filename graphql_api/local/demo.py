"""The two demo tenants: who is in them, and what they have been working on."""

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from graphql_api.auth.identity import Identity, Role
from graphql_api.auth.plan import Tier
from graphql_api.context import RequestContext
from graphql_api.deadline import Deadline
from graphql_api.features.comments import Comment
from graphql_api.features.projects import Project
from graphql_api.features.tasks.task import RECENT_COMMENTS, RecentComment, Task, TaskPriority
from graphql_api.features.tenants import Tenant, TenantRegistration, TenantStatus
from graphql_api.features.users import User, membership_writes
from graphql_api.features.workflows.workflow import Workflow, default_workflow
from graphql_api.local import demo_words as words
from graphql_api.sources import Sources
from graphql_api.store.entity import Entity
from graphql_api.store.repository import Repository
from graphql_api.store.table import MAX_TRANSACTION_ITEMS
from graphql_api.store.uid import encode
from graphql_api.store.writes import Write

SEED = 20261120
OPERATOR = "demo-operator"
TASKS_PER_PROJECT = 25
HISTORY = timedelta(days=240)


@dataclass(frozen=True, slots=True)
class Person:
    """A demo user; the uid follows from the address, so that a token can be made without a look-up."""

    name: str
    email: str
    role: Role

    def uid(self, tenant: str) -> str:
        return encode(int.from_bytes(hashlib.sha256(f"{tenant}/{self.email}".encode()).digest()[:16]))


@dataclass(frozen=True, slots=True)
class DemoTenant:
    """A tenant as it is before anything is stored."""

    slug: str
    name: str
    people: tuple[Person, ...]
    projects: tuple[tuple[str, str], ...]

    def person(self, role: Role) -> Person:
        """The first member with that role."""
        return next(person for person in self.people if person.role is role)


def _people(domain: str, *members: tuple[str, Role]) -> tuple[Person, ...]:
    return tuple(Person(name, f"{name.split()[0].lower()}@{domain}", role) for name, role in members)


TENANTS = (
    DemoTenant(
        "acme",
        "Acme Robotics",
        _people(
            "acme.example",
            ("Ada Lindqvist", Role.ADMIN),
            ("Marcus Oyelaran", Role.MANAGER),
            ("Priya Raman", Role.MEMBER),
            ("Tomás Herrera", Role.MEMBER),
            ("Ines Castelo", Role.MEMBER),
            ("Noor van Dijk", Role.VIEWER),
        ),
        words.ACME_PROJECTS,
    ),
    DemoTenant(
        "globex",
        "Globex Logistics",
        _people(
            "globex.example",
            ("Grace Okafor", Role.ADMIN),
            ("Henrik Solberg", Role.MANAGER),
            ("Yuki Tanaka", Role.MEMBER),
            ("Omar Haddad", Role.MEMBER),
            ("Elif Demir", Role.VIEWER),
        ),
        words.GLOBEX_PROJECTS,
    ),
)


def find_tenant(slug: str) -> DemoTenant | None:
    """The demo tenant with that slug."""
    return next((tenant for tenant in TENANTS if tenant.slug == slug), None)


async def seed(sources: Sources) -> bool:
    """Store the demo tenants where they are missing; False if they were all there."""
    stored = [await _seed_tenant(sources, tenant, Random(SEED)) for tenant in TENANTS]  # noqa: S311 - not a secret
    return any(stored)


async def _seed_tenant(sources: Sources, tenant: DemoTenant, random: Random) -> bool:
    operator = Identity(OPERATOR, Role.PLATFORM, None, 0)
    context = RequestContext(sources, operator, "demo", Deadline.after(60))
    platform, founding = context.platform, context.founding(tenant.slug)
    admin = tenant.person(Role.ADMIN)
    if await platform.fresh().find(TenantRegistration, tenant.slug) is not None:
        return False
    registration = platform.new(
        TenantRegistration,
        uid=tenant.slug,
        name=tenant.name,
        status=TenantStatus.ACTIVE,
        admin_uid=admin.uid(tenant.slug),
        plan=Tier.ENTERPRISE,
    )
    # A start that was cut off left the beginning of the story, which holds together by itself.
    if await founding.fresh().find(Tenant, tenant.slug) is None:
        writes = list(Story(founding, tenant, random, sources.now()).writes())
        for start in range(0, len(writes), MAX_TRANSACTION_ITEMS):
            await founding.commit(*writes[start : start + MAX_TRANSACTION_ITEMS], leaves=[])
    # The registration comes last: it says that everything else is there.
    await platform.commit(platform.put(registration), leaves=[registration])
    await context.close()
    return True


class Story:
    """Eight months of a tenant's work, told by a seeded generator."""

    def __init__(self, repository: Repository, tenant: DemoTenant, random: Random, now: datetime) -> None:
        self._repository = repository
        self._tenant = tenant
        self._random = random
        self._now = now
        self._uids = [person.uid(tenant.slug) for person in tenant.people]
        self._hands = [person.uid(tenant.slug) for person in tenant.people if person.role is not Role.VIEWER]

    def writes(self) -> Iterator[Write]:
        """Every write of the story; the tenant's own first."""
        beginning = self._now - HISTORY
        yield self._put(self._new(Tenant, beginning, uid=self._tenant.slug, name=self._tenant.name))
        workflow = default_workflow(self._repository)
        yield self._put(workflow)
        for person in self._tenant.people:
            user = self._new(
                User,
                beginning,
                uid=person.uid(self._tenant.slug),
                name=person.name,
                email=person.email,
                role=person.role,
            )
            yield from membership_writes(self._repository, user)
        for name, description in self._tenant.projects:
            started = beginning + HISTORY * self._random.random() * 0.6
            project = self._new(Project, started, name=name, description=description)
            yield self._put(project)
            for _ in range(TASKS_PER_PROJECT):
                yield from self._task(project, workflow)

    def _task(self, project: Project, workflow: Workflow) -> Iterator[Write]:
        random = self._random
        created = project.created_at + (self._now - project.created_at) * random.random()
        state = random.choices(workflow.states, weights=(3, 3, 1, 5))[0]
        uid = _uid_at(created, random)
        task = self._new(
            Task,
            created,
            uid=uid,
            by=random.choice(self._hands),
            project_uid=project.uid,
            assignee_uid=random.choice([*self._hands, None]),
            title=f"{random.choice(words.VERBS)} {random.choice(words.OBJECTS)}",
            description=random.choice([*words.DESCRIPTIONS, None]),
            priority=random.choices(list(TaskPriority), weights=(2, 5, 3, 1))[0],
            due_on=_due(created, random),
            status=workflow.states[0].key,
            position=uid[:16] + "g",
        )
        moved_at = created + (self._now - created) * random.random()
        moved = task.moved(state.key, state.category, moved_at)
        comments = list(self._comments(task, moved_at))
        yield from map(self._put, comments)
        recent = sorted((RecentComment(c.uid, c.created_by_uid) for c in comments), reverse=True)
        yield self._put(
            dataclasses.replace(
                moved,
                version=1 + workflow.states.index(state),
                updated_at=moved_at,
                comment_count=len(recent),
                recent_comments=recent[:RECENT_COMMENTS],
                comments_version=len(recent),
            )
        )

    def _comments(self, task: Task, until: datetime) -> Iterator[Comment]:
        for _ in range(self._random.choice((0, 0, 1, 2, 3, 4, 12))):
            said_at = task.created_at + (until - task.created_at) * self._random.random()
            yield self._new(
                Comment,
                said_at,
                uid=_uid_at(said_at, self._random),
                by=self._random.choice(self._uids),
                task_uid=task.uid,
                body=self._random.choice(words.REMARKS),
            )

    def _new(self, cls: type[Any], at: datetime, *, by: str | None = None, **attributes: Any) -> Any:
        """An entity as if somebody had made it then."""
        author = by or self._tenant.person(Role.ADMIN).uid(self._tenant.slug)
        attributes.setdefault("uid", _uid_at(at, self._random))
        entity = self._repository.new(cls, **attributes)
        return dataclasses.replace(
            entity, created_at=at, updated_at=at, created_by_uid=author, updated_by_uid=author
        )

    def _put(self, entity: Entity) -> Write:
        return self._repository.put(entity)


def _uid_at(at: datetime, random: Random) -> str:
    """A uid as if made then: 48 bits of milliseconds, the rest random."""
    return encode(int(at.timestamp() * 1000) << 80 | 0x7 << 76 | random.getrandbits(76))


def _due(created: datetime, random: Random) -> Any:
    if random.random() < 0.2:
        return None
    return (created + timedelta(days=random.randint(3, 120))).astimezone(UTC).date()

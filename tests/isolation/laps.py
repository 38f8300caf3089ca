"""Every field asked for in every way, in the same order each time: no seed has to be lucky."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.isolation.arguments import CREATIONS, METHODS, SUBSCRIPTIONS, Way
from tests.isolation.documents import roots

# What is removed is the newest of its kind; a project that has tasks cannot be.
REMOVALS = (
    *("revokeApiKey", "deleteWebhook", "deleteComment", "deleteTask", "restoreTask"),
    *("createProject", "deleteProject", "eraseTenant"),
)
BEGINNINGS = (*CREATIONS, "onboardTenant")
STRANGER = -1


@dataclass(frozen=True)
class Lap:
    """One request for every field: of the choices there are, the preferred ones are taken, else the first.

    `people` are numbers of a party's people, who take turns; `at_once` is whether both parties' requests are.
    """

    preferred: Sequence[Any]
    people: Sequence[int]
    at_once: bool = False

    def pick(self, choices: Sequence[Any]) -> Any:
        return next((each for each in choices if each in self.preferred), choices[0])

    def steps(self) -> Iterator[tuple[str, int]]:
        """Root fields, each with the number of who asks for it."""
        for number, root in enumerate(route()):
            yield root, self.people[number % len(self.people)]


def lap(*preferred: Way | str, people: Sequence[int], at_once: bool = False) -> Lap:
    return Lap(preferred, people, at_once=at_once)


# The second of the people is an administrator in both tenants; the others' roles differ.
LAPS = (
    lap("Task", Way.OTHERS, Way.AFTER_OTHERS, people=(1,)),
    lap("Project", Way.AS_THE_OTHER, Way.SHARED, people=(1,)),
    lap("Comment", Way.AS_THE_OTHER_IN_THE_INPUT, Way.AFTER_OWN, people=(0, 1)),
    lap("SOCKET", "Comment", "late-10", Way.GIVEN, Way.OWN, Way.AFTER_OWN, people=(1,)),
    lap("GET", "User", Way.GIVEN, Way.OWN, people=(0,), at_once=True),
    lap("GET", "Workflow", Way.AS_THE_OTHER, people=(STRANGER, 2, 3)),
    lap("GET", "Project", Way.GIVEN, Way.OTHERS, people=(1,), at_once=True),
    lap("GET", "Tenant", people=(2, STRANGER, 3), at_once=True),
)


def route() -> list[str]:
    """Every root field: what makes things, what changes them, what reads them, what removes them; before
    things are made and again before they are removed, what tells of all that.
    """
    others = [root for root in roots() if root not in (*BEGINNINGS, *REMOVALS, *SUBSCRIPTIONS)]
    known = sorted(others, key=lambda root: roots()[root][0])
    return [*SUBSCRIPTIONS, *BEGINNINGS, *known, *SUBSCRIPTIONS, *REMOVALS]


def methods(root: str) -> tuple[str, ...]:
    """By which a field is served."""
    return tuple(dict.fromkeys(METHODS[roots()[root][0]]))

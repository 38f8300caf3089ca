"""Each patch of the emulator alone: what it mends, and that it is still needed."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.e2e import probes
from tests.e2e.deployment import Account
from tests.e2e.emulator import Emulator, patches


class Case(NamedTuple):
    """What a probe says with the patch, as AWS does, and without it."""

    probe: Callable[[Account], Any]
    mended: object
    broken: object


CASES = {
    "echo-subprotocol": Case(probes.sub_protocol, "graphql-transport-ws", None),
    "pass-parameters-to-sam": Case(probes.published_code, "given", "unset"),
    "require-code": Case(probes.status_without_code, "ROLLBACK_COMPLETE", "CREATE_COMPLETE"),
    "hide-own-packages": Case(probes.finds_emulator, False, True),
    "unpack-once": Case(probes.copies_of_code, 1, 2),
    "leading-keys": Case(probes.keys_that_may_be_read, ["ours#1"], []),
    "policy-variables": Case(probes.tags_that_may_read, ["ALL_ATTRIBUTES"], []),
    "grant-batches-of-messages": Case(probes.may_send_a_batch, True, False),
    "stream-mapping": Case(probes.records_set_aside, 1, 0),
}


def test_every_patch_is_asked_for():
    assert patches() == set(CASES)


@pytest.mark.parametrize("patch", CASES)
def test_the_emulator_does_as_aws_does(patch: str, account: Account):
    assert CASES[patch].probe(account) == CASES[patch].mended


@pytest.mark.parametrize("patch", CASES)
def test_the_emulator_does_not_without_its_patch(patch: str):
    with Emulator(patch) as unpatched:
        assert CASES[patch].probe(Account(unpatched.endpoint)) == CASES[patch].broken

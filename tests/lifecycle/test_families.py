"""No family of keys is without an eraser: whoever writes a new one says whether an export holds it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import graphql_api.features
from graphql_api.store import entity
from graphql_api.store.inventory import EXPORTED, PASSING

ROOT = Path(graphql_api.__file__).parent
# What only the platform's family and that of connections have; a tenant's erasure does not touch them.
OF_THE_PLATFORM = {"JOB", "PLAN", "REGISTRATION", "ROUND"}
OF_CONNECTIONS = {"@"}
# Index partitions and keys are built from these; only their first word after the family matters.
BUILDERS = {"partition": 1, "entity_key": 1}
# The calls of DynamoDB that write, and where they may stand: what is written there enters the inventory.
WRITING = {"put_item", "update_item", "batch_write_item", "transact_write_items", "execute_statement"}
MAY_WRITE = {"store/table.py"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def constants(tree: ast.Module) -> dict[str, str]:
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def written_words(tree: ast.Module) -> Iterator[str]:
    """The first word of every path that a module builds of literals."""
    names = constants(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        place = BUILDERS.get(node.func.id)
        if place is None or len(node.args) <= place:
            continue
        word = node.args[place]
        if isinstance(word, ast.Constant) and isinstance(word.value, str):
            yield word.value
        if isinstance(word, ast.Name) and word.id in names:
            yield names[word.id]


def kinds() -> set[str]:
    """Of every entity class of the product."""
    return {cls.kind for cls in entity._CLASSES.values() if cls.__module__.startswith("graphql_api.")}


def unknown(words: set[str]) -> set[str]:
    return words - EXPORTED - PASSING - OF_THE_PLATFORM - OF_CONNECTIONS - {"INVENTORY"}


def test_every_family_that_the_code_writes_is_known_to_export_and_erasure() -> None:
    words = {word for _, tree in modules() for word in written_words(tree)}
    assert {"LOG", "HISTORY", "SOCKETS", "BUDGET", "IDEMPOTENCY"} <= words
    assert unknown(words | kinds()) == set(), "store/inventory.py says of each whether an export holds it"


def test_a_family_is_exported_or_passing_and_none_is_there_in_vain() -> None:
    words = {word for _, tree in modules() for word in written_words(tree)}
    assert not EXPORTED & PASSING
    assert words | kinds() >= EXPORTED | PASSING


def test_a_new_family_would_be_noticed() -> None:
    planted = ast.parse('PATH = "PARCEL"\nKey(partition(family, "LETTER", uid), "X")\nentity_key(f, PATH, u)')
    assert unknown(set(written_words(planted))) == {"LETTER", "PARCEL"}


def test_only_the_table_writes_and_so_puts_things_into_the_inventory() -> None:
    found = {
        path
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in WRITING
    }
    assert found == MAY_WRITE

"""An export that is not whole, or of another tenant, is not begun with; nor is a tenant that has anything."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_api.auth.identity import Role
from graphql_api.deadline import Deadline
from graphql_api.errors import ConflictError
from graphql_api.lifecycle.importing import Importer
from graphql_api.lifecycle.lines import Line, from_line, to_line
from graphql_api.lifecycle.manifest import BrokenExportError
from graphql_api.store.keys import Key
from tests.lifecycle.estate import begun, dump, folder, operator, platform, traces, work
from tests.realtime.stage import Clock, Stage

Files = dict[str, bytes]


async def exported(stage: Stage, clock: Clock) -> Files:
    """An export of acme, which is erased since."""
    job = await begun(stage.world.as_("acme", Role.ADMIN), "exportTenant")
    await work(stage, clock, job)
    place = folder(stage, "acme")
    await work(stage, clock, await begun(operator(stage.world), "eraseTenant", slug="acme", confirm="acme"))
    return {file.name: file.read_bytes() for file in place.iterdir()}


async def imported(stage: Stage, files: Files, slug: str = "acme") -> int:
    def read(name: str) -> bytes:
        if name not in files:
            raise FileNotFoundError(name)
        return files[name]

    sources = stage.world.services.sources
    return await Importer(sources, platform(stage), slug, read, Deadline.after(60)).run()


def first(files: Files) -> str:
    return next(name for name in sorted(files) if name.startswith("data-"))


def rewritten(files: Files, change: Callable[[dict[str, Any]], None], *, line: str | None = None) -> Files:
    """The export with another manifest; with `line`, and that line more in its first file, hashes and all."""
    manifest = json.loads(files["manifest.json"])
    changed = dict(files)
    if line is not None:
        changed[first(files)] += line.encode() + b"\n"
        (entry,) = (file for file in manifest["files"] if file["name"] == first(files))
        entry["items"] += 1
        entry["size"] = len(changed[first(files)])
        entry["sha256"] = hashlib.sha256(changed[first(files)]).hexdigest()
    change(manifest)
    return changed | {"manifest.json": json.dumps(manifest).encode()}


def unchanged(_: dict[str, Any]) -> None:
    return


FOREIGN = json.dumps({"table": "data", "pk": "T#globex#TASK#1", "sk": "TASK", "attributes": {}})
ELSEWHERE = json.dumps({"table": "control", "pk": "T#acme#LOG", "sk": "HEAD", "attributes": {}})
BROKEN: dict[str, tuple[Callable[[Files], Files], str]] = {
    "a byte": (
        lambda files: files | {first(files): b" " + files[first(files)][1:]},
        "does not have the hash",
    ),
    "a line more": (lambda files: files | {first(files): files[first(files)] * 2}, "does not have the hash"),
    "a file": (lambda files: {n: c for n, c in files.items() if n != first(files)}, "is not there"),
    "no manifest": (lambda _: {}, "manifest.json is not there"),
    "no JSON": (lambda files: files | {"manifest.json": b"{"}, "cannot be read"),
    "a version": (lambda files: rewritten(files, lambda m: m.update(version=2)), "of version 2"),
    "a tenant": (lambda files: rewritten(files, lambda m: m["tenant"].update(slug="globex")), "of globex"),
    "a count": (
        lambda files: rewritten(files, lambda m: m["files"][0].update(items=99)),
        "does not have the items",
    ),
    "another's key": (lambda files: rewritten(files, unchanged, line=FOREIGN), "does not belong there"),
    "another table": (lambda files: rewritten(files, unchanged, line=ELSEWHERE), "does not belong there"),
    "no line": (lambda files: rewritten(files, unchanged, line="[]"), "a line that cannot be read"),
}


async def test_a_broken_export_is_refused_before_anything_is_written(stage: Stage, clock: Clock) -> None:
    files = await exported(stage, clock)
    before = await dump(stage)
    for what, (breaking, message) in BROKEN.items():
        with pytest.raises(BrokenExportError, match=message):
            await imported(stage, breaking(files))
        assert await dump(stage) == before, what
    assert await imported(stage, files) > 0


async def test_a_tenant_that_is_there_is_not_imported(stage: Stage, clock: Clock) -> None:
    files = await exported(stage, clock)
    await imported(stage, files)
    with pytest.raises(ConflictError, match="has data"):
        await imported(stage, files)


async def test_an_import_that_broke_off_is_erased_and_begun_again(
    stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = await exported(stage, clock)
    with monkeypatch.context() as patch:
        patch.setattr("graphql_api.lifecycle.importing.TABLES", ("control",))
        await imported(stage, files)
    with pytest.raises(ConflictError, match="has data"):
        await imported(stage, files)
    await work(stage, clock, await begun(operator(stage.world), "eraseTenant", slug="acme", confirm="acme"))
    assert traces("acme", await dump(stage)) == []
    assert await imported(stage, files) > 0


scalars = (
    st.builds(lambda value: {"S": value}, st.text(max_size=8))
    | st.builds(lambda value: {"N": str(value)}, st.integers())
    | st.builds(lambda value: {"B": value}, st.binary(max_size=8))
    | st.builds(lambda value: {"BOOL": value}, st.booleans())
    | st.just({"NULL": True})
    | st.builds(lambda values: {"SS": values}, st.lists(st.text(max_size=4), min_size=1, max_size=3))
    | st.builds(lambda values: {"BS": values}, st.lists(st.binary(max_size=4), min_size=1, max_size=3))
)
attributes = st.recursive(
    scalars,
    lambda inner: (
        st.builds(lambda values: {"L": values}, st.lists(inner, max_size=3))
        | st.builds(lambda values: {"M": values}, st.dictionaries(st.text(max_size=4), inner, max_size=3))
    ),
    max_leaves=6,
)
names = st.text(min_size=1, max_size=6).filter(lambda name: name not in ("pk", "sk"))


@given(st.dictionaries(names, attributes, max_size=4), st.text(min_size=1, max_size=8))
def test_a_line_is_one_line_and_reads_as_the_item_that_it_was(item: dict[str, Any], sort: str) -> None:
    line = Line("data", Key("T#acme#NOTE#1", sort), item)
    text = to_line(line)
    assert text.count(b"\n") == 1
    assert from_line(text) == line

import unicodedata
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_api import inputs
from graphql_api.errors import InvalidInputError
from tests.features.builders import a_project, a_task, done, outcome
from tests.world import World

pytestmark = pytest.mark.identity(tenant="acme", role="ADMIN")

LINE_BREAKS = ("\n", "\t", "\u2028", "\u2029")
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\r\t"]
BIDI = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
SURROGATES = list(map(chr, (0xD800, 0xDBFF, 0xDC00, 0xDFFF)))
FAMILY = "👩\u200d👩\u200d👧\u200d👦"  # one picture of seven characters
NFC = {
    "e\u0301": "é",
    "\u212b": "Å",
    "\u1100\u1161": "가",
    "q\u0307\u0323": "q\u0323\u0307",
    "\u0958": "\u0915\u093c",  # has no composed form that stays
}
GROWS = "\u0958"  # one character, two in NFC
PILE = "a" + "\u0301\u0323" * 15
TRICKY = st.text(
    st.sampled_from("a \n\t\u0301\u0323\u0958\U0001d160ΐİK#\u202e\u2028\x00\ud800"), max_size=250
)
ANY_TEXT = st.text(st.characters(categories=None), max_size=250) | TRICKY


class TextField(NamedTuple):
    """A field of a mutation's input that takes text, and how its payload shows it as `shown`."""

    mutation: str
    name: str
    selection: str
    most: int
    others: dict[str, Any]

    @property
    def is_line(self) -> bool:
        return self.most == inputs.MAX_LINE


@pytest.fixture
async def text_fields(world: World) -> list[TextField]:
    """One of every kind of text that a client can send, with what else its mutation needs."""
    project = await a_project(world)
    task = await a_task(world, project)
    return [
        TextField("createProject", "name", "project { shown: name }", 200, {}),
        TextField("updateProject", "name", "project { shown: name }", 200, {"id": project}),
        TextField("updateProject", "description", "project { shown: description }", 10_000, {"id": project}),
        TextField("createTask", "title", "task { shown: title }", 200, {"projectId": project}),
        TextField("updateTask", "description", "task { shown: description }", 10_000, {"id": task}),
        TextField("addComment", "body", "comment { shown: body }", 10_000, {"taskId": task}),
        TextField("updateTenant", "name", "tenant { shown: name }", 200, {}),
    ]


async def kept(world: World, field: TextField, text: str) -> str:
    """What a text that must be accepted is shown as."""
    payload = await done(world, field.mutation, field.selection, **field.others | {field.name: text})
    return payload["shown"]


async def is_refused(world: World, field: TextField, text: str) -> bool:
    """Whether a text is refused under the name of its field."""
    answer = await outcome(world, field.mutation, field.selection, **field.others | {field.name: text})
    return (answer["__typename"], answer.get("field")) == ("InvalidInputError", field.name)


async def test_text_is_kept_as_it_was_written(world: World, text_fields: list[TextField]) -> None:
    for field in text_fields:
        for text in (
            FAMILY,
            "שלום!",
            "日本語",
            "नमस्ते",
            "\u0645\u06cc\u200c\u062e\u0648",
            "a  b",
            "#",
            '"\\',
            "<b>&amp;</b>",
            "${x}",
        ):
            assert await kept(world, field, text) == text


async def test_blanks_around_a_text_are_dropped(world: World, text_fields: list[TextField]) -> None:
    for field in text_fields:
        assert await kept(world, field, " \n\u3000 Weld it \t\n") == "Weld it"


async def test_text_is_stored_composed(world: World, text_fields: list[TextField]) -> None:
    for field in text_fields:
        assert await kept(world, field, "".join(NFC)) == "".join(NFC.values())


async def test_text_may_be_as_long_as_its_bound_and_no_longer(
    world: World, text_fields: list[TextField]
) -> None:
    """In characters, however many bytes each of them takes."""
    for field in text_fields:
        for letter in ("x", "🦾"):
            assert await kept(world, field, letter * field.most) == letter * field.most
            assert await is_refused(world, field, letter * (field.most + 1))


async def test_a_text_that_outgrows_its_bound_when_composed_is_refused(
    world: World, text_fields: list[TextField]
) -> None:
    for field in text_fields:
        assert len(await kept(world, field, GROWS * (field.most // 2))) == field.most
        assert await is_refused(world, field, GROWS * (field.most // 2 + 1))


async def test_what_is_not_text_or_reads_as_something_else_is_refused(
    world: World, text_fields: list[TextField]
) -> None:
    for field in text_fields:
        for character in ("\x00", "\x1b", "\x85", "\u202e", "\u2066"):
            assert await is_refused(world, field, f"in{character}side")


async def test_a_line_is_one_line_and_a_text_may_have_many(
    world: World, text_fields: list[TextField]
) -> None:
    for field in text_fields:
        for line_break in LINE_BREAKS:
            text = f"in{line_break}side"
            if field.is_line:
                assert await is_refused(world, field, text)
            else:
                assert await kept(world, field, text) == text


async def test_line_ends_of_every_system_are_line_feeds(world: World, text_fields: list[TextField]) -> None:
    for field in text_fields:
        if not field.is_line:
            assert await kept(world, field, "a\r\nb\rc\n\nd") == "a\nb\nc\n\nd"


async def test_a_line_holds_nothing_that_nobody_sees(world: World, text_fields: list[TextField]) -> None:
    """Two names that look alike are alike."""
    for field in text_fields:
        for unseen in ("\u200b", "\u2060", "\ufeff", "\u00ad"):
            if field.is_line:
                assert await is_refused(world, field, f"in{unseen}side")
            else:
                assert await kept(world, field, f"in{unseen}side") == f"in{unseen}side"


async def test_what_shapes_words_and_emoji_is_kept(world: World, text_fields: list[TextField]) -> None:
    for field in text_fields:
        for shaped in ("\u200eab\u200f", "\U0001f3f4\U000e0067\U000e0062\U000e007f", "a\u200db"):
            assert await kept(world, field, f"in {shaped} side") == f"in {shaped} side"


async def test_a_line_has_something_in_it(world: World, text_fields: list[TextField]) -> None:
    for field in text_fields:
        if field.is_line or field.name == "body":
            assert await is_refused(world, field, "")
            assert await is_refused(world, field, " \t\n\u3000")
        if field.is_line:
            assert await is_refused(world, field, "\u200d\u200c")


async def test_more_marks_on_a_letter_than_any_writing_has_are_refused(
    world: World, text_fields: list[TextField]
) -> None:
    """To bring a row of them in order takes time with the square of its length."""
    for field in text_fields:
        assert await kept(world, field, PILE) == unicodedata.normalize("NFC", PILE)
        assert await is_refused(world, field, PILE + "\u0301")


@pytest.mark.parametrize("character", [*CONTROLS, *BIDI, *SURROGATES], ids=ascii)
def test_characters_that_no_text_holds(character: str) -> None:
    for clean in (inputs.line, inputs.text, inputs.prose):
        with pytest.raises(InvalidInputError):
            clean(f"in{character}side", "name")
    with pytest.raises(InvalidInputError):
        inputs.email(f"zoe{character}@acme.example")


async def test_half_a_character_is_refused_before_any_field_sees_it(world: World) -> None:
    document = "mutation ($n: String!) { createProject(input: {name: $n}) { __typename } }"
    variable = f'{{"query": "{document}", "variables": {{"n": "\\ud83d"}}}}'.encode()
    literal = rb'{"query": "mutation { createProject(input: {name: \"\\ud83d\"}) { __typename } }"}'
    whole = rb'{"query": "mutation { createProject(input: {name: \"\\ud83e\\uddbe\"}) { __typename } }"}'
    headers = {"content-type": "application/json"}

    codes = [
        (await world.post(body, headers)).json()["errors"][0]["extensions"]["code"]
        for body in (variable, literal)
    ]
    assert codes == ["BAD_REQUEST", "GRAPHQL_PARSE_FAILED"]
    assert (await world.post(whole, headers)).json()["data"] == {
        "createProject": {"__typename": "CreateProjectPayload"}
    }


async def test_an_idempotency_key_is_any_text_of_1_to_255_characters(world: World) -> None:
    for key in ("k", "k" * 255, FAMILY, "\u202e#\t", "é", "e\u0301"):
        await a_project(world, idempotencyKey=key)
    for key in ("", "k" * 256):
        answer = await outcome(world, "createProject", "project { id }", name="Gripper", idempotencyKey=key)
        assert (answer["__typename"], answer["field"]) == ("InvalidInputError", "idempotencyKey")


async def test_numbers_beyond_graphqls_integers_are_refused_by_their_type(world: World) -> None:
    project = await a_project(world)

    for version in (2**31, -(2**31) - 1, 1.5, "1", True):
        answer = await world.execute(
            "mutation ($input: DeleteProjectInput!) { deleteProject(input: $input) { __typename } }",
            input={"id": project, "expectedVersion": version},
        )
        assert (answer.codes, answer.data) == (["BAD_USER_INPUT"], None), version
    for version in (-1, 0, 2**31 - 1):
        answer = await outcome(world, "deleteProject", "project { id }", id=project, expectedVersion=version)
        assert answer["code"] == "CONFLICT"


@settings(deadline=None)
@given(ANY_TEXT)
def test_a_cleaned_line_is_clean(raw: str) -> None:
    try:
        cleaned = inputs.line(raw, "name")
    except InvalidInputError:
        return
    assert 1 <= len(cleaned) <= inputs.MAX_LINE
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not set(cleaned) & {*CONTROLS, *BIDI, *LINE_BREAKS, "\r"}
    assert not any(unicodedata.category(character) == "Cs" for character in cleaned)
    assert inputs.line(cleaned, "name") == cleaned


@settings(deadline=None)
@given(ANY_TEXT.map(lambda local: f"{local[:70]}@Acme.Example"))
def test_a_cleaned_address_is_the_only_form_of_itself(raw: str) -> None:
    try:
        cleaned = inputs.email(raw)
    except InvalidInputError:
        return
    assert inputs.email(cleaned) == cleaned
    assert "#" not in cleaned
    assert cleaned.endswith("@acme.example")

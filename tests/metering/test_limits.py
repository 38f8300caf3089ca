from collections.abc import Mapping

import pytest
from graphql import print_ast

from graphql_api.errors import ErrorCode, QueryTooComplexError
from graphql_api.metering.limits import (
    COUNT_CEILING,
    DocumentSyntaxError,
    Limits,
    check_variables,
    clip,
    enforce,
    parse_document,
)

LIMITS = Limits()


def refusal(source: str, limits: Limits = LIMITS) -> QueryTooComplexError:
    with pytest.raises(QueryTooComplexError) as caught:
        parse_document(source, limits)
    return caught.value


def syntax_error(source: str) -> DocumentSyntaxError:
    with pytest.raises(DocumentSyntaxError) as caught:
        parse_document(source, LIMITS)
    return caught.value


def nested(depth: int) -> dict[str, object]:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return {"v": value}


def test_a_document_is_parsed_whole():
    assert print_ast(parse_document("query A { a }", LIMITS)) == "query A {\n  a\n}"


@pytest.mark.parametrize(
    ("name", "limits", "allowed", "refused"),
    [
        ("sourceLength", Limits(max_source_length=10), "{ a }     ", "{ a }      "),
        ("tokens", Limits(max_tokens=5), "{a b c}", "{a b c d}"),
        ("comments", Limits(max_comments=2), "#\n#\n{a}", "#\n#\n{a}#"),
    ],
)
def test_a_parser_bound_holds_at_the_limit_and_not_beyond(
    name: str, limits: Limits, allowed: str, refused: str
):
    parse_document(allowed, limits)
    error = refusal(refused, limits)
    assert error.extensions["limit"] == name
    assert str(error.extensions["max"]) in error.message


@pytest.mark.parametrize(
    "source",
    [
        "{a" * 300 + "}" * 300,
        "{a(b:" + "[" * 300 + "]" * 300 + ")}",
        "{a(b:" + "{c:" * 300 + "1" + "}" * 300 + ")}",
        "query($a:" + "[" * 300 + "A" + "]" * 300 + "){a}",
        "{..." * 300 + "a" + "}" * 300,
    ],
)
def test_deep_nesting_is_a_bound_and_no_recursion_error(source: str):
    assert refusal(source).extensions == {"limit": "nesting", "max": LIMITS.max_nesting}


@pytest.mark.parametrize(
    "source",
    ["", "   ", "{", "}", "{}", "{ a {} }", "query", "{a(b:)}", '{a(b:"\\uD800")}', "\ud800", "{a}\x00", '"'],
)
def test_what_is_not_graphql_is_a_parse_failure_that_says_where(source: str):
    error = syntax_error(source)
    assert error.code is ErrorCode.GRAPHQL_PARSE_FAILED
    assert error.locations[0].line == 1
    error.message.encode()


def test_a_parse_failure_echoes_at_most_256_characters():
    assert len(syntax_error("{ a " + "@" + "b" * 10_000 + ": }").message) <= 256
    assert len(syntax_error('{ a "' + "b" * 10_000 + '" }').message) == 256


def test_words_of_the_client_are_not_taken_for_a_bound():
    assert (
        syntax_error('{ a "Document contains more than 1000 tokens" }').code is ErrorCode.GRAPHQL_PARSE_FAILED
    )


def test_a_parse_failure_keeps_no_parser_state_alive():
    assert syntax_error("{").__context__ is None


def test_clip_keeps_short_text_and_marks_what_it_cuts():
    assert clip("abcd", 4) == "abcd"
    assert clip("abcde", 4) == "abc…"


def test_an_astronomic_count_is_told_as_over_the_ceiling():
    with pytest.raises(QueryTooComplexError, match=f"cost is over {COUNT_CEILING}, at most 5"):
        enforce("cost", COUNT_CEILING, 5)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"a": None, "b": 1},
        nested(10),
        {"v": list(range(4999))},
        {"v": {str(n): n for n in range(32)}},
        {str(n): n for n in range(100)},
    ],
)
def test_variables_within_their_bounds_pass(variables: Mapping[str, object]):
    check_variables(variables, LIMITS)


@pytest.mark.parametrize(
    ("variables", "limit"),
    [
        (nested(11), "valueDepth"),
        (nested(5000), "valueDepth"),
        ({"v": list(range(5000))}, "variableValues"),
        ({"v": {str(n): n for n in range(33)}}, "objectMembers"),
        ({"v": [1, {"a": {str(n): n for n in range(33)}}]}, "objectMembers"),
        ({"v": [[n] for n in range(2500)]}, "variableValues"),
        ({str(n): n for n in range(5001)}, "variableValues"),
    ],
)
def test_variables_over_a_bound_are_refused(variables: Mapping[str, object], limit: str):
    with pytest.raises(QueryTooComplexError) as caught:
        check_variables(variables, LIMITS)
    assert caught.value.extensions["limit"] == limit

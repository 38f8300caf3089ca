"""The frames of the protocol as a client writes them, and a short name for each that a server sends."""

import json
from typing import Any

# Words that stand for what each server has of its own.
TOKEN, BAD_TOKEN, EXPIRED_TOKEN, OWN_ORIGIN = "<token>", "<bad token>", "<expired token>", "<own origin>"


def message(**members: Any) -> str:
    return json.dumps(members)


def init(token: str | None = TOKEN) -> str:
    """`connection_init`, signed in unless there is no token."""
    payload = {} if token is None else {"payload": {"authorization": f"Bearer {token}"}}
    return message(type="connection_init", **payload)


def subscribe(query: Any, id: Any = "1", **payload: Any) -> str:
    return message(id=id, type="subscribe", payload={"query": query} | payload)


def complete(id: str = "1") -> str:
    return message(id=id, type="complete")


def short(text: str) -> str:
    """A server's frame in a few words: its type, its id, and the code of the first error in it."""
    frame = json.loads(text)
    payload = frame.get("payload")
    words = [frame["type"], *([frame["id"]] if "id" in frame else [])]
    match frame["type"]:
        case "error":
            words += _codes(payload)
        case "next":
            words += ["failed", *_codes(payload["errors"])] if "errors" in payload else []
        case "connection_error":
            words.append(str(payload["code"]))
        case "pong" if payload is not None:
            words += _said(payload)
        case _:
            assert payload is None, frame
    return " ".join(words)


def without_codes(answer: str) -> str:
    """The answer as the reference server gives it, whose errors have no codes."""
    words = answer.split(" ")
    if words[0] == "error":
        return " ".join(words[:2])
    return " ".join(words[:3]) if words[0] == "next" else answer


def _codes(errors: list[dict[str, Any]]) -> list[str]:
    code = errors[0].get("extensions", {}).get("code")
    return [] if code is None else [code]


def _said(payload: dict[str, Any]) -> list[str]:
    tells_position = "eventCursor" in payload and "sequence" in payload
    rest = {name: value for name, value in payload.items() if name not in ("eventCursor", "sequence")}
    told = ["with position"] if tells_position else []
    if "refused" in rest:
        return ["refusing", *_codes([rest["refused"]]), *told]
    return ([json.dumps(rest)] if rest else []) + told

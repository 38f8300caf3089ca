"""Workflows in shorthand."""

DEFAULT = "todo:TODO in_progress:IN_PROGRESS in_review:IN_PROGRESS done:DONE"
WORKFLOW = "workflow { version states { key name category retired } transitions { fromState toState role } }"


def states(keys: str) -> list[dict[str, str]]:
    """States written as `key:CATEGORY`, TODO where none is given."""
    pairs = (state.partition(":") for state in keys.split())
    return [{"key": key, "name": key.title(), "category": category or "TODO"} for key, _, category in pairs]


def moves(*steps: str) -> list[dict[str, str]]:
    """Transitions written as `from>to` or `from>to:ROLE`."""
    found: list[dict[str, str]] = []
    for step in steps:
        path, _, role = step.partition(":")
        start, _, end = path.partition(">")
        found.append({"fromState": start, "toState": end, **({"role": role} if role else {})})
    return found

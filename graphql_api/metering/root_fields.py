"""Which fields an operation asks of its root, and how often, whatever the alias or fragment."""

from collections import Counter
from collections.abc import Mapping

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
)

Fragments = Mapping[str, FragmentDefinitionNode]


def root_fields(selections: SelectionSetNode, fragments: Fragments) -> Counter[str]:
    """Uses by field name. Each fragment is counted once and remembered; a cycle ends where it closes."""
    return _count(selections, fragments, {})


def _count(
    selections: SelectionSetNode, fragments: Fragments, known: dict[str, Counter[str]]
) -> Counter[str]:
    counted = Counter[str]()
    for node in selections.selections:
        if isinstance(node, FieldNode):
            counted[node.name.value] += 1
        elif isinstance(node, InlineFragmentNode):
            counted += _count(node.selection_set, fragments, known)
        elif isinstance(node, FragmentSpreadNode) and (definition := fragments.get(node.name.value)):
            name = node.name.value
            if name not in known:
                known[name] = Counter()
                known[name] = _count(definition.selection_set, fragments, known)
            counted += known[name]
    return counted

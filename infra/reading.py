"""CloudFormation's YAML in, what JSON would say out: `!Ref x` is {"Ref": "x"}, `!Sub x` {"Fn::Sub": "x"}."""

from pathlib import Path
from typing import Any

import yaml


class TagError(ValueError):
    """A tag that stands before what no function takes."""


def read(path: Path) -> dict[str, Any]:
    """The template at `path`, with nothing filled in. TagError or yaml.YAMLError if it is none."""
    return _Loader(path.read_text(encoding="utf-8")).get_single_data()


class _Loader(yaml.SafeLoader):
    """SafeLoader that knows the functions' tags."""


def _function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            argument: Any = loader.construct_scalar(node)
        case yaml.SequenceNode():
            argument = loader.construct_sequence(node, deep=True)
        case _:
            raise TagError(f"!{name} of a mapping")
    if name == "GetAtt" and isinstance(argument, str):
        argument = argument.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": argument}


_Loader.add_multi_constructor("!", _function)
# What looks like a date is the version of a policy, and text.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)

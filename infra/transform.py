"""The template as SAM's transform leaves it, on standard output; run by the Python of SAM's own venv."""

# Nothing of SAM is installed where pyright looks.
# pyright: basic, reportMissingImports=false

import json
import logging
import sys
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """The template names no managed policy by its short name, which AWS would be asked for."""

    def load(self) -> dict[str, str]:
        return {}


def main() -> None:
    path, *parameters = sys.argv[1:]
    # It warns of features that AWS switches on for its own transform.
    logging.disable(logging.WARNING)
    template = yaml_parse(Path(path).read_text(encoding="utf-8"))
    # As `sam package` writes it.
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    values = dict(parameter.split("=", 1) for parameter in parameters)
    print(json.dumps(transform(template, values, NoManagedPolicies())))


main()

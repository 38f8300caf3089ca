"""The policies as they are deployed: their text is in infra/policies, their parameters are filled in here.

`${TableArn}` and `${ControlTableArn}` stand for the tables' ARNs; a name with a colon,
`${aws:PrincipalTag/tenant}`, is a policy variable, which is IAM's to fill in.
"""

import json
import re
from pathlib import Path
from typing import Any

POLICIES = Path(__file__).parents[2] / "infra" / "policies"
_PARAMETER = re.compile(r"\$\{(\w+)\}")


def table_arn(name: str, index: str | None = None) -> str:
    arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}"
    return arn if index is None else f"{arn}/index/{index}"


def shipped_policy(name: str, **parameters: str) -> dict[str, Any]:
    """One document: `tenant`, `platform`, `connections`; a parameter that it needs and does not get is a
    KeyError.
    """
    text = (POLICIES / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(_PARAMETER.sub(lambda parameter: parameters[parameter[1]], text))


def shipped_policies(table: str, control: str) -> dict[str, dict[str, Any]]:
    """All documents, for a data table and a control table of these names."""
    arns = {"TableArn": table_arn(table), "ControlTableArn": table_arn(control)}
    return {name: shipped_policy(name, **arns) for name in ("tenant", "platform", "connections")}

"""The policies as they are deployed: their text is in infra/policies, their parameters are filled in here.

`${TableArn}` stands for the data table's ARN; a name with a colon, `${aws:PrincipalTag/tenant}`, is a policy
variable, which is IAM's to fill in.
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
    """The document `tenant` or `platform`; a parameter it needs and does not get is a KeyError."""
    text = (POLICIES / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(_PARAMETER.sub(lambda parameter: parameters[parameter[1]], text))


def shipped_policies(table: str) -> dict[str, dict[str, Any]]:
    """Both documents, for a data table of this name."""
    return {name: shipped_policy(name, TableArn=table_arn(table)) for name in ("tenant", "platform")}

"""What holds of every role and policy, whoever it is for. Each rule tells what is wrong."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.infra.deployments import of_type

Document = dict[str, Any]
Statement = dict[str, Any]

SERVING_ROLES = {
    "HttpFunctionRole",
    "StreamFunctionRole",
    "SweepFunctionRole",
    "WebSocketFunctionRole",
    "WebhookFunctionRole",
}
FUNCTION_ROLES = SERVING_ROLES | {"JobsFunctionRole"}
WHO_MAY_ASSUME = {
    "TenantRole": SERVING_ROLES,
    # Who can erase a tenant answers no request.
    "LifecycleRole": {"JobsFunctionRole"},
    "PlatformRole": {"HttpFunctionRole", "JobsFunctionRole", "WebSocketFunctionRole"},
    "RegistryReaderRole": {"StreamFunctionRole", "WebhookFunctionRole"},
    "RoundsRole": {"SweepFunctionRole"},
}
# What each function may do beyond its log, the secret, and the roles that it assumes; and where it is set up.
DUTIES = {
    "HttpFunctionRole": set[str](),
    "WebSocketFunctionRole": {"sockets"},
    "StreamFunctionRole": {"sockets", "stream", "waking"},
    "SweepFunctionRole": {"sockets", "sweep", "waking"},
    "WebhookFunctionRole": {"waking", "webhook"},
    "JobsFunctionRole": {"sockets", "jobs", "jobs-service"},
}
OPTIONAL = {"StreamFunctionRole": {"events"}, "SweepFunctionRole": {"events", "heads"}}
SERVICES = {
    **dict.fromkeys(FUNCTION_ROLES, "lambda.amazonaws.com"),
    "AuditDeliveryRole": "firehose.amazonaws.com",
    "AuditLinesRole": "logs.amazonaws.com",
}
STREAM_READS = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
OWN = "T#${aws:PrincipalTag/tenant}#"
FAMILIES = {
    "OwnItems": f"{OWN}*",
    "OwnLists": f"{OWN}*",
    "OwnLogAndSockets": f"{OWN}*",
    "OwnSockets": [f"{OWN}BUDGET*", f"{OWN}GROUP#*", f"{OWN}SOCKET*", f"{OWN}TOPIC#*", f"{OWN}WEBHOOK#*"],
    "OwnUsage": f"{OWN}USAGE#*",
    "OwnTimelines": f"{OWN}*",
    "AllItems": f"{OWN}*",
    "Inventory": f"{OWN}INVENTORY#*",
    "SocketsOfTenant": f"{OWN}SOCKET*",
    "Registry": "P#*",
    "RegistryLists": "P#*",
    "PlatformBudgets": "P#BUDGET#*",
    "OwnAudit": "P#AUDIT",
    "ReadRegistry": "P#*",
    "ListRegistry": "P#*",
    "Round": "P#ROUND",
    "WriteAudit": "P#AUDIT",
    "Sockets": "C#*",
}
SAFE_ENDINGS = (
    "/index/*",
    "/@connections/*",
    "/audit/*",
    "/failed/*",
    "/${aws:PrincipalTag/tenant}/*",
)
ROLES_OF_EXPORTS = {"TenantRole": "s3:GetObject", "LifecycleRole": "s3:PutObject"}
TAGGED_ROLES = {"TenantRole": "tenant", "LifecycleRole": "lifecycle"}
OWNED_BY_LOGS = ":log-group:"


class Grant(NamedTuple):
    """One statement of a policy, of the roles that carry it."""

    policy: str
    roles: frozenset[str]
    statement: Statement

    @property
    def actions(self) -> list[str]:
        return _listed(self.statement.get("Action", "*"))

    @property
    def sid(self) -> str:
        return self.statement.get("Sid", "")

    @property
    def item_actions(self) -> set[str]:
        """What it grants on items; reading a stream is not that."""
        return {action for action in self.actions if action.startswith("dynamodb:")} - STREAM_READS

    @property
    def resources(self) -> list[str]:
        return _listed(self.statement.get("Resource", "*"))


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def grants(document: Document) -> Iterator[Grant]:
    for name, role in of_type(document, "AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield Grant(policy["PolicyName"], frozenset({name}), statement)
    for policy in of_type(document, "AWS::IAM::Policy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield Grant(policy["PolicyName"], frozenset(policy["Roles"]), statement)


def wildcards(document: Document) -> Iterator[str]:
    for grant in grants(document):
        if grant.statement["Effect"] != "Allow" or grant.statement.keys() & {"NotAction", "NotResource"}:
            yield f"{grant.policy} says what is not granted"
        for action in grant.actions:
            if "*" in action or "?" in action:
                yield f"{grant.policy} grants {action}"
        for resource in grant.resources:
            own = resource.removesuffix(":*") if OWNED_BY_LOGS in resource else resource
            for ending in SAFE_ENDINGS:
                own = own.removesuffix(ending)
            if "*" in own or "?" in own or not own.startswith("arn:aws:"):
                yield f"{grant.policy} is about {resource}"


def managed_policies(document: Document) -> Iterator[str]:
    """Policies of AWS grant what AWS thinks of; one is what API Gateway itself asks for."""
    for name, role in of_type(document, "AWS::IAM::Role").items():
        if role.get("ManagedPolicyArns") and name != "AccountLogsRoleOfApis":
            yield f"{name} has {role['ManagedPolicyArns']}"
    for name in of_type(document, "AWS::IAM::ManagedPolicy", "AWS::IAM::User", "AWS::IAM::AccessKey"):
        yield f"{name} is nothing that is judged here"
    for name, function in of_type(document, "AWS::Serverless::Function").items():
        if "Policies" in function or not function.get("Role"):
            yield f"{name} has a role of SAM's making"


def items(document: Document) -> Iterator[str]:
    """Every right on an item is bound to a family of keys, and refused where no key is named."""
    for grant in grants(document):
        if not grant.item_actions:
            continue
        condition = grant.statement.get("Condition", {})
        family = condition.get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys")
        if family is None or family != FAMILIES.get(grant.sid):
            yield f"{grant.policy} reaches {family}"
        if condition.get("Null", {}).get("dynamodb:LeadingKeys") != "false":
            yield f"{grant.policy} grants what names no key"
        if (
            grant.policy in TAGGED_ROLES.values()
            and condition.get("StringLike", {}).get("aws:PrincipalTag/tenant") != "?*"
        ):
            yield "a session without a tag is a tenant's"


def own_rights(document: Document) -> Iterator[str]:
    """A function's own role holds no right on a tenant's items, nor on the platform's."""
    for grant in grants(document):
        for role in grant.roles & FUNCTION_ROLES:
            assumes = {"assume-platform", "assume-registry-reader", "assume-rounds"}
            allowed = {"logs", "service", "customer-key"} | assumes | OPTIONAL.get(role, set())
            if grant.policy not in allowed | DUTIES[role]:
                yield f"{role} has {grant.policy}"
    for grant in grants(document):
        if grant.roles & FUNCTION_ROLES and (touched := grant.item_actions) and grant.sid != "Sockets":
            yield f"{grant.policy} grants {sorted(touched)}"
    for role, duties in DUTIES.items():
        if missing := duties - {grant.policy for grant in grants(document) if role in grant.roles}:
            yield f"{role} lacks {sorted(missing)}"


def assumptions(document: Document) -> Iterator[str]:
    """Who may assume a role, and who has the right to try, are the same."""
    for name, expected in WHO_MAY_ASSUME.items():
        arn = f"arn:aws:iam::123456789012:role/{name}"
        (trust,) = document["Resources"][name]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        trusted = {each.rpartition("/")[2] for each in _listed(trust["Principal"].get("AWS", "*"))}
        carriers = {role for grant in grants(document) if arn in grant.resources for role in grant.roles}
        if trusted != expected or carriers != expected:
            yield f"{name} is for {sorted(trusted)}, and {sorted(carriers)} may assume it"
        if (trust.get("Condition") != TAGGED) if name in TAGGED_ROLES else ("Condition" in trust):
            yield f"{name} is assumed under {trust.get('Condition')}"
        tagging = ["sts:AssumeRole", "sts:TagSession"] if name in TAGGED_ROLES else ["sts:AssumeRole"]
        if _listed(trust["Action"]) != tagging:
            yield f"{name} allows {trust['Action']}"


TAGGED = {
    "ForAllValues:StringEquals": {"aws:TagKeys": ["tenant"]},
    "StringLike": {"aws:RequestTag/tenant": "?*"},
}


def exports(document: Document) -> Iterator[str]:
    """A tenant's role reads what is below the tenant's name, the one of whole tenants writes it."""
    found = {
        (role, action): grant
        for role in ROLES_OF_EXPORTS
        for grant in grants(document)
        for action in grant.actions
        if action.startswith("s3:") and role in grant.roles
    }
    if found.keys() != set(ROLES_OF_EXPORTS.items()):
        yield f"exports: {sorted(found)}"
    for grant in grants(document):
        reaches = any("ExportBucket" in resource for resource in grant.resources)
        if reaches and grant not in found.values():
            yield "others reach exports"
    for grant in found.values():
        if grant.resources != ["arn:aws:s3:::ExportBucket/${aws:PrincipalTag/tenant}/*"]:
            yield f"{grant.policy} reaches {grant.resources}"
        if grant.statement.get("Condition") != {"StringLike": {"aws:PrincipalTag/tenant": "?*"}}:
            yield f"{grant.policy} reaches exports without a tag"


def services(document: Document) -> Iterator[str]:
    """Roles that no other role assumes are for one service; queues and functions know who calls."""
    for name, role in of_type(document, "AWS::IAM::Role").items():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        expected = SERVICES.get(name, "apigateway.amazonaws.com")
        if name not in WHO_MAY_ASSUME and trust["Principal"] != {"Service": expected}:
            yield f"{name} is for {trust['Principal']}"
    for name, policy in of_type(document, "AWS::SQS::QueuePolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Principal"] == "*" or "aws:SourceArn" not in statement["Condition"].get(
                "ArnEquals", {}
            ):
                yield f"{name} lets anybody send"
    for name, permission in of_type(document, "AWS::Lambda::Permission").items():
        if not permission.get("SourceArn") or not permission["FunctionName"].endswith(":live"):
            yield f"{name} lets others invoke"


RULES = (wildcards, managed_policies, items, own_rights, assumptions, exports, services)

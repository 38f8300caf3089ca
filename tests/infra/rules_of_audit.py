"""What holds of the audit log's way to S3, of the key that signs heads, and of the event bus."""

from collections.abc import Iterator
from typing import Any

from tests.infra.deployments import of_type
from tests.infra.rules_of_access import grants

Document = dict[str, Any]

FILTER = '{ $.logger = "audit" }'
# Who may do it, and what with: nobody else, and nothing else.
ONLY = {
    "kms:Sign": {"SweepFunctionRole"},
    "events:PutEvents": {"StreamFunctionRole", "SweepFunctionRole"},
    "firehose:PutRecord": {"AuditLinesRole"},
    "s3:PutObject": {"AuditDeliveryRole", "LifecycleRole"},  # each into a bucket of its own
}


def bucket(document: Document) -> Iterator[str]:
    """It is closed, encrypted, keeps every version, and forgets after the retention alone."""
    properties = of_type(document, "AWS::S3::Bucket").get("AuditBucket")
    if properties is None:
        return
    closed = properties.get("PublicAccessBlockConfiguration", {})
    if list(closed.values()) != [True] * 4:
        yield "it can be made public"
    if "BucketEncryption" not in properties:
        yield "it is not encrypted"
    if properties.get("VersioningConfiguration") != {"Status": "Enabled"}:
        yield "it forgets what is written over"
    if not properties.get("LifecycleConfiguration"):
        yield "it never forgets"
    if document["Resources"]["AuditBucket"].get("UpdateReplacePolicy") != "Retain":
        yield "it goes with its stack"
    policy = of_type(document, "AWS::S3::BucketPolicy")["AuditBucketPolicy"]
    denied = {
        statement["Sid"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Principal"] == "*"
    }
    if denied != {"EncryptedWaysAlone", "NobodyDeletes"}:
        yield f"its policy denies {sorted(denied)}"


def lines(document: Document) -> Iterator[str]:
    """The audit lines of every function go there, or those of none."""
    filters = of_type(document, "AWS::Logs::SubscriptionFilter")
    functions = of_type(document, "AWS::Serverless::Function")
    sources = {properties["LoggingConfig"]["LogGroup"] for properties in functions.values()}
    streams = document["Conditions"]["StreamsAudit"]
    found = {properties["LogGroupName"] for properties in filters.values()}
    if found != (sources if streams else set()):
        yield f"lines come from {sorted(found)}"
    for name, properties in filters.items():
        if properties["FilterPattern"] != FILTER:
            yield f"{name} passes {properties['FilterPattern']}"
    for name, properties in functions.items():
        told = properties["Environment"]["Variables"]["AUDIT_STREAM"]
        if streams and told != "on":
            yield f"{name} does not write them"


def heads(document: Document) -> Iterator[str]:
    """A key for signatures alone, which stays as long as anybody may want to verify one."""
    keys = of_type(document, "AWS::KMS::Key")
    if len(keys) != int(document["Conditions"]["IsAws"]):
        yield f"{len(keys)} keys"
    for name, properties in keys.items():
        if (properties["KeySpec"], properties["KeyUsage"]) != ("ECC_NIST_P256", "SIGN_VERIFY"):
            yield f"{name} cannot sign ES256"
        if document["Resources"][name].get("DeletionPolicy") != "RetainExceptOnCreate":
            yield f"{name} goes with its stack"


def narrow(document: Document) -> Iterator[str]:
    for grant in grants(document):
        for action in ONLY.keys() & set(grant.actions):
            if not grant.roles <= ONLY[action]:
                yield f"{sorted(grant.roles)} may {action}"


RULES = (bucket, lines, heads, narrow)

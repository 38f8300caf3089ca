"""What the emulator is asked for each of its patches: a small stack, and what came of it."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from botocore.exceptions import ClientError
from websockets import NegotiationError, Subprotocol
from websockets.sync.client import connect

from tests.e2e.deployment import BUCKET, Account, Stack

OFFERED = Subprotocol("graphql-transport-ws")
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": "*", "Service": "lambda.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
            },
        }
    },
}
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "StreamSpecification": {"StreamViewType": "KEYS_ONLY"},
    },
}
ECHO = """
def handler(event, context):
    return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "graphql-transport-ws"}}
"""
FINDS_EMULATOR = """
import importlib.util
def handler(event, context):
    return importlib.util.find_spec("ministack") is not None
"""
WHERE = """
import os
def handler(event, context):
    return os.path.realpath(__file__)
"""
REPORTS_POISON = """
def handler(event, context):
    records = [record["dynamodb"] for record in event["Records"]]
    poison = [record["SequenceNumber"] for record in records if record["Keys"]["pk"]["S"] == "poison"]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in poison]}
"""


def _stack(account: Account, resources: dict[str, Any], **parameters: str) -> tuple[Stack, str]:
    """A stack of those resources and a role, and its status."""
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {name: {"Type": "String", "Default": "unset"} for name in parameters},
        "Resources": {"Role": ROLE, **resources},
    }
    stack = Stack(account, f"probe-{uuid4().hex[:8]}")
    return stack, stack.deploy(json.dumps(template), parameters)


def _function(code: str, **properties: Any) -> dict[str, Any]:
    properties = {"Role": {"Fn::GetAtt": "Role.Arn"}, "Runtime": "python3.13", **properties}
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {"Handler": "index.handler", "Code": {"ZipFile": code}, **properties},
    }


def _invoke(account: Account, function: str, **named: str) -> Any:
    return json.load(account.client("lambda").invoke(FunctionName=function, **named)["Payload"])


def _is_allowed(call: Callable[..., Any], **named: Any) -> bool:
    try:
        call(**named)
    except ClientError as error:
        if "AccessDenied" in str(error):
            return False
        raise
    return True


def sub_protocol(account: Account) -> str | None:
    """What a client is told of the sub-protocol that `$connect` chose."""
    ref = {"Ref": "Api"}
    integration = {
        "ApiId": ref,
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": {"Fn::GetAtt": "Function.Arn"},
    }
    resources = {
        "Function": _function(ECHO),
        "Api": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {
                "Name": "probe",
                "ProtocolType": "WEBSOCKET",
                "RouteSelectionExpression": "$request.body.action",
            },
        },
        "Integration": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": integration},
        "Route": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": ref,
                "RouteKey": "$connect",
                "Target": {"Fn::Sub": "integrations/${Integration}"},
            },
        },
        "Stage": {"Type": "AWS::ApiGatewayV2::Stage", "Properties": {"ApiId": ref, "StageName": "dev"}},
    }
    stack, _ = _stack(account, resources)
    host = urlsplit(account.endpoint).netloc
    url = f"ws://{host}/_aws/execute-api/{stack.resources()['Api']}/dev"
    try:
        with connect(url, subprotocols=[OFFERED]) as socket:
            return socket.subprotocol
    except NegotiationError:
        return None


def published_code(account: Account) -> Any:
    """What the alias of a function says whose code is a parameter's."""
    for name in ("unset", "given"):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("index.py", f"def handler(event, context):\n    return {name!r}\n")
        account.upload(name, content.getvalue())
    properties = {
        "CodeUri": {"Bucket": BUCKET, "Key": {"Ref": "Key"}},
        "Handler": "index.handler",
        "Runtime": "python3.13",
        "Role": {"Fn::GetAtt": "Role.Arn"},
        "AutoPublishAlias": "live",
    }
    function = {"Type": "AWS::Serverless::Function", "Properties": properties}
    stack, _ = _stack(account, {"Function": function}, Key="given")
    return _invoke(account, stack.resources()["Function"], Qualifier="live")


def status_without_code(account: Account) -> str:
    """How the creation of a stack ends whose function's code is not there."""
    account.upload("something", b"")
    function = _function("", Code={"S3Bucket": BUCKET, "S3Key": "nowhere.zip"})
    _, status = _stack(account, {"Function": function})
    return status.partition(":")[0]


def finds_emulator(account: Account) -> bool:
    """Whether a function can import what the emulator is made of."""
    stack, _ = _stack(account, {"Function": _function(FINDS_EMULATOR)})
    return _invoke(account, stack.resources()["Function"])


def copies_of_code(account: Account) -> int:
    """How many there are on disk while two environments run."""
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}}
    stack, _ = _stack(account, {"Function": _function(WHERE), "Version": version})
    function = stack.resources()["Function"]
    return len({_invoke(account, function, Qualifier=qualifier) for qualifier in ("$LATEST", "1")})


def _role_of(
    resource: Any, condition: dict[str, Any] | None = None, action: str = "dynamodb:*"
) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    statement |= {} if condition is None else {"Condition": condition}
    document = {"Version": "2012-10-17", "Statement": statement}
    return {
        **ROLE,
        "Properties": {
            **ROLE["Properties"],
            "Policies": [{"PolicyName": "probe", "PolicyDocument": document}],
        },
    }


def _session(account: Account, stack: Stack, service: str = "dynamodb", **tags: str) -> Any:
    role = account.client("iam").get_role(RoleName=stack.resources()["Role"])["Role"]["Arn"]
    return account.client(service, account.session_of(role, tags=tags))


def keys_that_may_be_read(account: Account) -> list[str]:
    """Of two keys, those a policy for the one lets through."""
    condition = {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": "ours#*"},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    stack, _ = _stack(account, {"Table": TABLE, "Role": _role_of("*", condition)})
    dynamodb, table = _session(account, stack), stack.resources()["Table"]
    return [
        key
        for key in ("ours#1", "theirs#1")
        if _is_allowed(dynamodb.get_item, TableName=table, Key={"pk": {"S": key}})
    ]


def tags_that_may_read(account: Account) -> list[str]:
    """Of two values of a session's tag, those a policy for the one lets through; a wildcard is none."""
    allowed = {"StringEquals": {"dynamodb:Select": "${aws:PrincipalTag/select}"}}
    stack, _ = _stack(account, {"Table": TABLE, "Role": _role_of("*", allowed)})
    table = stack.resources()["Table"]
    return [
        tag
        for tag in ("ALL_ATTRIBUTES", "COUNT", "*")
        if _is_allowed(_session(account, stack, select=tag).scan, TableName=table)
    ]


def may_send_a_batch(account: Account) -> bool:
    """Whether several messages can be sent at once by whoever may send one."""
    queue = {"Type": "AWS::SQS::Queue"}
    role = _role_of({"Fn::GetAtt": "Queue.Arn"}, action="sqs:SendMessage")
    stack, _ = _stack(account, {"Queue": queue, "Role": role})
    entries = [{"Id": "1", "MessageBody": "one"}, {"Id": "2", "MessageBody": "two"}]
    sqs, url = _session(account, stack, "sqs"), stack.resources()["Queue"]
    return _is_allowed(sqs.send_message_batch, QueueUrl=url, Entries=entries)


def records_set_aside(account: Account) -> int:
    """How many messages are in the on-failure queue for one poison record between two others."""
    mapping = {
        "EventSourceArn": {"Fn::GetAtt": "Table.StreamArn"},
        "FunctionName": {"Ref": "Function"},
        "StartingPosition": "TRIM_HORIZON",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": "Queue.Arn"}}},
    }
    resources = {
        "Table": TABLE,
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Function": _function(REPORTS_POISON),
        "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
    }
    stack, _ = _stack(account, resources)
    table, queue = stack.resources()["Table"], stack.resources()["Queue"]
    puts = [{"Put": {"TableName": table, "Item": {"pk": {"S": key}}}} for key in ("a", "poison", "b")]
    account.client("dynamodb").transact_write_items(TransactItems=puts)
    received = account.client("sqs").receive_message(
        QueueUrl=queue, WaitTimeSeconds=4, MaxNumberOfMessages=10
    )
    bodies = [json.loads(message["Body"]) for message in received.get("Messages", ())]
    return sum(body["DDBStreamBatchInfo"]["batchSize"] for body in bodies)

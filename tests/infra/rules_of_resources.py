"""What holds of the tables, the two APIs, the alarms and their metrics. Each rule tells what is wrong."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import graphql_api
from graphql_api.store.schema import EXPIRY, control_definition, table_definition
from tests.infra.deployments import of_type

Document = dict[str, Any]

DEFINITIONS = {"Table": table_definition, "ControlTable": control_definition}
# Types that the emulator refuses; it takes them behind a condition that is false.
NOT_EMULATED = {
    "AWS::ApiGatewayV2::Deployment",
    "AWS::ApiGatewayV2::RouteResponse",
    "AWS::Budgets::Budget",
    "AWS::CloudWatch::AnomalyDetector",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::Logs::QueryDefinition",
    "AWS::Serverless::HttpApi",
    "AWS::WAFv2::WebACLAssociation",
    "AWS::XRay::Group",
}
# What an access log may tell: none of these carries a header, a query string or a message.
LOGGED = {
    "$context.connectionId",
    "$context.eventType",
    "$context.httpMethod",
    "$context.identity.sourceIp",
    "$context.integrationErrorMessage",
    "$context.integrationLatency",
    "$context.path",
    "$context.requestId",
    "$context.requestTime",
    "$context.responseLatency",
    "$context.responseLength",
    "$context.routeKey",
    "$context.status",
}
MEASURED_BY = {"AWS/Lambda": "FunctionName", "AWS/SQS": "QueueName", "AWS/ApiGateway": "ApiId"} | {
    "AWS/Firehose": "DeliveryStreamName"
}
OF_A_METRIC = {
    "DeliveryStreamName": "AWS::KinesisFirehose::DeliveryStream",
    "FunctionName": "AWS::Serverless::Function",
    "QueueName": "AWS::SQS::Queue",
}
TRIPWIRES = {"A client is gone.", "DynamoDB refused a call.", "An item of another tenant was read."}
_MESSAGE = re.compile(r'\{ \$\.message = "([^"]+)" \}')
_LOG_CALL = re.compile(r'_log\.\w+\(\s*"([^"]+)"')


@cache
def logged_messages() -> frozenset[str]:
    """Every message that the code logs as a literal."""
    sources = Path(graphql_api.__file__).parent.rglob("*.py")
    return frozenset(
        found for each in sources for found in _LOG_CALL.findall(each.read_text(encoding="utf-8"))
    )


def tables(document: Document) -> Iterator[str]:
    """They are what the code defines and the suites run on."""
    found = of_type(document, "AWS::DynamoDB::Table")
    if found.keys() != DEFINITIONS.keys():
        yield f"tables: {sorted(found)}"
    for name, definition in DEFINITIONS.items():
        expected = definition(name)
        for key, value in expected.items():
            if key != "TableName" and found[name].get(key) != _in_cloudformation(key, value):
                yield f"{name}'s {key} is another"
        if extra := found[name].keys() & {"LocalSecondaryIndexes", "StreamSpecification"} - expected.keys():
            yield f"{name} has {extra}"


def _in_cloudformation(key: str, value: Any) -> Any:
    """CreateTable's StreamEnabled is implied."""
    return {"StreamViewType": value["StreamViewType"]} if key == "StreamSpecification" else value


def safekeeping(document: Document) -> Iterator[str]:
    is_prod = document["Outputs"]["WebSocketStage"]["Value"] == "prod"
    for name, table in of_type(document, "AWS::DynamoDB::Table").items():
        if table.get("TimeToLiveSpecification") != {"AttributeName": EXPIRY, "Enabled": True}:
            yield f"{name} never forgets"
        if table.get("PointInTimeRecoverySpecification") != {"PointInTimeRecoveryEnabled": True}:
            yield f"{name} cannot be restored"
        if table["DeletionProtectionEnabled"] != is_prod:
            yield f"{name} is unprotected in prod, or protected elsewhere"
        resource = document["Resources"][name]
        kept = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        if kept != ("RetainExceptOnCreate", "Retain"):
            yield f"{name} goes with its stack"
        encryption = table.get("SSESpecification", {})
        if document["Conditions"]["HasCustomerKey"] != ("KMSMasterKeyId" in encryption):
            yield f"{name} has not the key that was asked for"


def exports(document: Document) -> Iterator[str]:
    """Encrypted, for nobody outside, over TLS alone, and forgotten."""
    bucket = of_type(document, "AWS::S3::Bucket")["ExportBucket"]
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    key = rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID")
    if document["Conditions"]["HasCustomerKey"] != (key is not None):
        yield "exports have not the key that was asked for"
    blocked = bucket.get("PublicAccessBlockConfiguration", {})
    if len(blocked) != 4 or not all(blocked.values()):
        yield "exports can be made public"
    (forgetting,) = bucket["LifecycleConfiguration"]["Rules"]
    if forgetting["Status"] != "Enabled" or not 1 <= forgetting.get("ExpirationInDays", 0) <= 30:
        yield "exports are kept"
    policy = of_type(document, "AWS::S3::BucketPolicy")["ExportBucketPolicy"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    in_the_clear = {"Bool": {"aws:SecureTransport": "false"}}
    if (policy["Bucket"], statement["Effect"], statement["Condition"]) != (
        "ExportBucket",
        "Deny",
        in_the_clear,
    ):
        yield "exports travel in the clear"


def stages(document: Document) -> Iterator[str]:
    found = of_type(document, "AWS::ApiGatewayV2::Stage")
    if found.keys() != {"HttpStage", "WebSocketStage"}:
        yield f"stages: {sorted(found)}"
    for name, stage in found.items():
        settings = stage.get("DefaultRouteSettings", {})
        if not all(float(settings.get(f"Throttling{each}Limit", 0)) > 0 for each in ("Rate", "Burst")):
            yield f"{name} is not throttled"
        if not stage.get("AutoDeploy"):
            yield f"{name} does not get new routes"


def access_logs(document: Document) -> Iterator[str]:
    for name, stage in of_type(document, "AWS::ApiGatewayV2::Stage").items():
        settings = stage.get("DefaultRouteSettings", {})
        if settings.get("DataTraceEnabled") or settings.get("LoggingLevel", "OFF") == "INFO":
            yield f"{name} logs what clients send"
        access = stage.get("AccessLogSettings", {"Format": "{}", "DestinationArn": ""})
        if not access["DestinationArn"].endswith("-access:*"):
            yield f"{name} has no access log"
        line = json.loads(access["Format"])
        if unknown := set(line.values()) - LOGGED:
            yield f"{name} logs {sorted(unknown)}"
        if "$context.requestId" not in line.values():
            yield f"{name} logs lines that nothing can be joined to"


def routes(document: Document) -> Iterator[str]:
    integrations = of_type(document, "AWS::ApiGatewayV2::Integration")
    for name, integration in integrations.items():
        function = name.replace("Integration", "Function")
        if f":function:{function}:live" not in integration["IntegrationUri"]:
            yield f"{name} passes by the alias"
    if integrations["HttpIntegration"].get("PayloadFormatVersion") != "2.0":
        yield "HTTP events are of another shape"
    found = sorted(
        (route["ApiId"], route["RouteKey"])
        for route in of_type(document, "AWS::ApiGatewayV2::Route").values()
    )
    events = [("WebSocketApi", key) for key in ("$connect", "$default", "$disconnect")]
    if found != [("HttpApi", "$default"), *events]:
        yield f"routes: {found}"
    for name, api in of_type(document, "AWS::ApiGatewayV2::Api").items():
        if "Body" in api or "CorsConfiguration" in api:
            yield f"{name} has routes or CORS that nobody sees"


def alarms(document: Document) -> Iterator[str]:
    for name, alarm in of_type(document, "AWS::CloudWatch::Alarm").items():
        if not alarm.get("AlarmActions"):
            yield f"{name} wakes nobody"
        if "TreatMissingData" not in alarm:
            yield f"{name} does not know what silence means"
        for metric in _metrics(alarm):
            yield from (f"{name}: {fault}" for fault in _faults_of(metric, document))


def _metrics(alarm: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "MetricName" in alarm:
        yield alarm
    for each in alarm.get("Metrics", []):
        if "MetricStat" in each:
            yield each["MetricStat"]["Metric"]


def _faults_of(metric: dict[str, Any], document: Document) -> Iterator[str]:
    dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}
    namespace = metric["Namespace"]
    if namespace not in MEASURED_BY:
        if dimensions or (namespace, metric["MetricName"]) not in _published(document):
            yield f"nothing publishes {metric['MetricName']}"
        return
    of = dimensions.get(MEASURED_BY[namespace])
    if of not in of_type(document, OF_A_METRIC.get(MEASURED_BY[namespace], "AWS::ApiGatewayV2::Api")):
        yield f"{metric['MetricName']} is of {of}, which is not there"
    if namespace == "AWS/Lambda" and dimensions.get("Resource") != f"{of}:live":
        yield f"{metric['MetricName']} is not the alias's"


def _published(document: Document) -> set[tuple[str, str]]:
    return {
        (each["MetricNamespace"], each["MetricName"])
        for properties in of_type(document, "AWS::Logs::MetricFilter").values()
        for each in properties["MetricTransformations"]
    }


def _depth(queue: dict[str, Any]) -> str:
    """What tells that something is amiss: anything in a queue of failures, waiting in one of work."""
    return (
        "ApproximateAgeOfOldestMessage" if "RedrivePolicy" in queue else "ApproximateNumberOfMessagesVisible"
    )


def watched(document: Document) -> Iterator[str]:
    """Each function's errors and throttles, each queue's depth, the stream's age, both APIs."""
    seen = {
        (metric["MetricName"], each["Value"])
        for alarm in of_type(document, "AWS::CloudWatch::Alarm").values()
        for metric in _metrics(alarm)
        for each in metric.get("Dimensions", [])
    }
    functions, found = of_type(document, "AWS::Serverless::Function"), of_type(document, "AWS::SQS::Queue")
    expected = {
        *((metric, name) for metric in ("Errors", "Throttles") for name in functions),
        *((_depth(queue), name) for name, queue in found.items()),
        ("IteratorAge", "StreamFunction"),
        ("5xx", "HttpApi"),
    }
    yield from (f"nobody watches {metric} of {name}" for metric, name in sorted(expected - seen))


def tripwires(document: Document) -> Iterator[str]:
    """Metrics are made of messages that the code logs, in every function's log that may have them."""
    filters = of_type(document, "AWS::Logs::MetricFilter")
    functions = of_type(document, "AWS::Serverless::Function")
    groups = {properties["LoggingConfig"]["LogGroup"] for properties in functions.values()}
    heard: dict[str, set[str]] = {message: set() for message in TRIPWIRES}
    for name, properties in filters.items():
        match = _MESSAGE.fullmatch(properties["FilterPattern"])
        if match is None or match[1] not in logged_messages():
            yield f"{name} waits for what nobody says"
        elif properties["LogGroupName"] not in groups:
            yield f"{name} listens to no function"
        else:
            heard.setdefault(match[1], set()).add(properties["LogGroupName"])
    for message, where in heard.items():
        # Requests and webhooks reach no socket.
        silent = {"/graphql-api/http", "/graphql-api/webhook"} if message == "A client is gone." else set()
        if groups - where - silent:
            yield f"{message!r} is not heard everywhere"


def dashboard(document: Document) -> Iterator[str]:
    (board,) = of_type(document, "AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(board["DashboardBody"])["widgets"]
    queries = [each["properties"]["query"] for each in widgets if each["type"] == "log"]
    if sum("by tenant" in query for query in queries) < 3:
        yield "tenants cannot be told apart"
    groups = {each["LogGroupName"] for each in of_type(document, "AWS::Logs::LogGroup").values()}
    for query in queries:
        yield from (
            f"{each} is no log" for each in re.findall(r"SOURCE '([^']+)'", query) if each not in groups
        )


def emulated(document: Document) -> Iterator[str]:
    if document["Conditions"]["IsAws"]:
        return
    for name, resource in document["Resources"].items():
        if resource["Type"] in NOT_EMULATED or "Metrics" in resource["Properties"]:
            yield f"{name} is nothing that the emulator has"
        if str(resource["Properties"].get("DeploymentPreference", {}).get("Enabled", "false")) != "false":
            yield f"{name} needs CodeDeploy"


RULES = (
    tables,
    safekeeping,
    exports,
    stages,
    access_logs,
    routes,
    alarms,
    watched,
    tripwires,
    dashboard,
    emulated,
)

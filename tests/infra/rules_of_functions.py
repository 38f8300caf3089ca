"""What holds of every function: its environment, its log, what invokes it. Each rule tells what is wrong."""

from collections.abc import Iterator
from typing import Any

from graphql_api.changes.log import MAX_SEGMENT_CHANGES
from graphql_api.settings import Settings, SettingsError
from tests.infra.deployments import RELEASE, of_type

Document = dict[str, Any]

TIMEOUTS = {  # seconds, least and greatest
    "HttpFunction": (11, 28),  # the application's own deadline is 10 s, API Gateway's 30
    "WebSocketFunction": (11, 28),  # API Gateway's is 29
    "StreamFunction": (29, 300),
    "SweepFunction": (29, 59),  # the next one begins after 60
}
# Lambda sets the region; the others have defaults that are right on AWS, or are of one machine.
NOT_GIVEN = {"AWS_REGION", "CURSOR_SECRETS", "DYNAMODB_ENDPOINT", "REQUEST_DEADLINE_SECONDS"}
OF_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_REGION": "us-east-1"}

MAPPING = {
    "BatchSize": MAX_SEGMENT_CHANGES,
    "BisectBatchOnFunctionError": True,
    "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:StreamFailures"}},
    "FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:StreamFunction:live",
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "MaximumBatchingWindowInSeconds": 0,
    "StartingPosition": "TRIM_HORIZON",
}


class _Asked(dict[str, str]):
    """An environment that remembers what was asked for."""

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(variables)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def functions(document: Document) -> dict[str, dict[str, Any]]:
    return of_type(document, "AWS::Serverless::Function")


def timeouts(document: Document) -> Iterator[str]:
    if functions(document).keys() != TIMEOUTS.keys():
        yield f"functions: {sorted(functions(document))}"
    for name, properties in functions(document).items():
        least, greatest = TIMEOUTS.get(name, (0, 0))
        if not least <= properties.get("Timeout", 3) <= greatest:
            yield f"{name} has {properties.get('Timeout')} s"


def runtimes(document: Document) -> Iterator[str]:
    for name, properties in functions(document).items():
        if properties["Runtime"] != "python3.13" or properties["MemorySize"] < 1769:
            yield f"{name} is not python3.13 on a whole CPU"
        # The first alone passes by a change of the environment, the second by one of a parameter in it.
        publishes = properties["AutoPublishAlias"] == "live" and properties["AutoPublishAliasAllProperties"]
        if not publishes or properties.get("AutoPublishCodeSha256") != RELEASE:
            yield f"{name} has changes that do not reach its alias"


def environments(document: Document) -> Iterator[str]:
    """Settings reads all that is given, is given all that it needs, and is content with it."""
    elsewhere = set() if document["Conditions"]["IsAws"] else {"AWS_ENDPOINT_URL"}
    for name, properties in functions(document).items():
        given = {key: str(value) for key, value in properties["Environment"]["Variables"].items()}
        asked = _Asked(given | OF_LAMBDA)
        try:
            Settings.from_env(asked)
        except SettingsError as error:
            yield f"{name}: {error}"
        read = asked.names - {"AWS_LAMBDA_FUNCTION_NAME"}
        if odd := (given.keys() - elsewhere - {"RELEASE"}) ^ (read - NOT_GIVEN):
            yield f"{name} is given, or lacks, {sorted(odd)}"
        if not elsewhere <= given.keys():
            yield f"{name} would call AWS"


def platform_roles(document: Document) -> Iterator[str]:
    for name, properties in functions(document).items():
        role = "PlatformRole" if name in ("HttpFunction", "WebSocketFunction") else "RegistryReaderRole"
        if not properties["Environment"]["Variables"]["PLATFORM_ROLE_ARN"].endswith(f":role/{role}"):
            yield f"{name} does not take {role}"


def logs(document: Document) -> Iterator[str]:
    groups = of_type(document, "AWS::Logs::LogGroup")
    by_name = {properties["LogGroupName"]: name for name, properties in groups.items()}
    owned = [
        properties.get("LoggingConfig", {}).get("LogGroup") for properties in functions(document).values()
    ]
    for name, group in zip(functions(document), owned, strict=True):
        if group not in by_name:
            yield f"{name} logs where nothing says for how long"
        if owned.count(group) > 1:
            yield f"{name} shares its log"
    for name, properties in groups.items():
        if not 1 <= int(properties.get("RetentionInDays", 0)) <= 400:
            yield f"{name} is kept for {properties.get('RetentionInDays')} days"


def warmth(document: Document) -> Iterator[str]:
    """SnapStart or provisioned concurrency: AWS refuses both at once."""
    for name, properties in functions(document).items():
        snapshot = properties["SnapStart"]["ApplyOn"] == "PublishedVersions"
        if snapshot == ("ProvisionedConcurrencyConfig" in properties):
            yield f"{name} has both or neither"


def stream_mapping(document: Document) -> Iterator[str]:
    (mapping,) = of_type(document, "AWS::Lambda::EventSourceMapping").values()
    for name, value in MAPPING.items():
        if mapping.get(name) != value:
            yield f"{name} is {mapping.get(name)}"
    # Lambda's default for both is -1: for ever, or until the stream itself forgets.
    if not 1 <= int(mapping.get("MaximumRetryAttempts", -1)) <= 1000:
        yield "a poison record stops its shard until it expires"
    if not 60 <= mapping.get("MaximumRecordAgeInSeconds", -1) < 86400:
        yield "what is given up cannot be read in the stream any more"
    if "TumblingWindowInSeconds" in mapping:
        yield "subscribers wait for a window"


def queues(document: Document) -> Iterator[str]:
    for name, properties in of_type(document, "AWS::SQS::Queue").items():
        if properties.get("SqsManagedSseEnabled") is not True:
            yield f"{name} is not encrypted"
        if properties.get("MessageRetentionPeriod") != 14 * 86400:
            yield f"{name} forgets what was given up"


def schedule(document: Document) -> Iterator[str]:
    (rule,) = of_type(document, "AWS::Events::Rule").values()
    (target,) = rule["Targets"]
    if rule["ScheduleExpression"] != "rate(1 minute)":
        yield "tokens outlive their sockets"
    if not target["Arn"].endswith(":function:SweepFunction:live"):
        yield "the rule passes by the alias"
    invoke = functions(document)["SweepFunction"].get("EventInvokeConfig", {})
    failures = invoke.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
    if not failures.endswith(":SweepFailures") or target.get("DeadLetterConfig", {}).get("Arn") != failures:
        yield "a lost sweep is not told of"


RULES = (
    timeouts,
    runtimes,
    environments,
    platform_roles,
    logs,
    warmth,
    stream_mapping,
    queues,
    schedule,
)

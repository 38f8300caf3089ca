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
    "JobsFunction": (29, 59),
    "WebhookFunction": (35, 119),  # 20 s of a turn, a call of 10 s; the queue hides a message for 120
}
PLATFORM_ROLES = {
    "HttpFunction": "PlatformRole",
    "JobsFunction": "PlatformRole",
    "WebSocketFunction": "PlatformRole",
    "StreamFunction": "RegistryReaderRole",
    "SweepFunction": "RoundsRole",
    "WebhookFunction": "RegistryReaderRole",
}
# Lambda sets the region; the others have defaults that are right on AWS, or are of one machine.
NOT_GIVEN = {
    "AWS_REGION",
    "CURSOR_SECRETS",
    "DYNAMODB_ENDPOINT",
    "EXPORT_DIRECTORY",
    "REQUEST_DEADLINE_SECONDS",
    "WEBHOOK_ALLOWED_NETWORKS",
}
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
    is_aws = document["Conditions"]["IsAws"]
    elsewhere = set[str]() if is_aws else {"AWS_ENDPOINT_URL", "WEBHOOK_ALLOWED_NETWORKS"}
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
        role = PLATFORM_ROLES[name]
        of_tenants = "LifecycleRole" if name == "JobsFunction" else "TenantRole"
        if not properties["Environment"]["Variables"]["TENANT_ROLE_ARN"].endswith(f":role/{of_tenants}"):
            yield f"{name} does not take {of_tenants}"
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
    mapping = of_type(document, "AWS::Lambda::EventSourceMapping")["StreamMapping"]
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
        if "RedrivePolicy" not in properties and properties.get("MessageRetentionPeriod") != 14 * 86400:
            yield f"{name} forgets what was given up"


def webhook_queue(document: Document) -> Iterator[str]:
    """A message is nobody else's while its turn may be on, and is given up where somebody sees it."""
    queue = document["Resources"]["WebhookQueue"]["Properties"]
    mapping = of_type(document, "AWS::Lambda::EventSourceMapping")["WebhookMapping"]
    if queue.get("VisibilityTimeout", 30) < functions(document)["WebhookFunction"]["Timeout"] * 2:
        yield "two turns have one message"
    given_up = queue.get("RedrivePolicy", {})
    if not given_up.get("deadLetterTargetArn", "").endswith(":WebhookFailures"):
        yield "a poisoned message comes for ever"
    if not 2 <= given_up.get("maxReceiveCount", 0) <= 10:
        yield "one failure gives a message up, or none does"
    if not mapping["EventSourceArn"].endswith(":WebhookQueue"):
        yield "nobody takes turns"
    if not mapping["FunctionName"].endswith(":function:WebhookFunction:live"):
        yield "the mapping passes by the alias"
    if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
        yield "one turn's failure is all the others'"


def schedule(document: Document) -> Iterator[str]:
    rules = of_type(document, "AWS::Events::Rule")
    if rules.keys() != {"JobsSchedule", "SweepSchedule"}:
        yield f"schedules: {sorted(rules)}"
    for name, rule in rules.items():
        of, (target,) = name.removesuffix("Schedule"), rule["Targets"]
        if rule["ScheduleExpression"] != "rate(1 minute)":
            yield "tokens outlive their sockets, or jobs stand still"
        if not target["Arn"].endswith(f":function:{of}Function:live"):
            yield "the rule passes by the alias"
        invoke = functions(document)[f"{of}Function"].get("EventInvokeConfig", {})
        failures = invoke.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
        if (
            not failures.endswith(f":{of}Failures")
            or target.get("DeadLetterConfig", {}).get("Arn") != failures
        ):
            yield f"a minute that {of}Function lost is not told of"


RULES = (
    timeouts,
    runtimes,
    environments,
    platform_roles,
    logs,
    warmth,
    stream_mapping,
    queues,
    webhook_queue,
    schedule,
)

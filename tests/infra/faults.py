"""Faults to plant into a rendered template: each is what one rule exists to find."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.infra import rules_of_access as access
from tests.infra import rules_of_audit as audit
from tests.infra import rules_of_functions as functions
from tests.infra import rules_of_resources as resources

Document = dict[str, Any]
Rule = Callable[[Document], Iterator[str]]
REMOVED = object()


class Fault(NamedTuple):
    """What stands at `path`, below a resource's properties unless it says otherwise, becomes `value`."""

    rule: Rule
    path: tuple[str | int, ...]
    value: Any = REMOVED
    deployment: str = "prod"

    def __str__(self) -> str:
        what = "removed" if self.value is REMOVED else str(self.value)
        return f"{self.rule.__name__}: {'.'.join(map(str, self.path))} {what}"[:120]

    def planted(self, document: Document) -> Document:
        """A copy of the document with the fault in it."""
        mutant = copy.deepcopy(document)
        name, *path, last = self.path
        place: Any = mutant["Resources"][name]
        for key in path if path and path[0] == "^" else ("Properties", *path):
            place = place if key == "^" else place[key]
        if self.value is REMOVED:
            del place[last]
        elif last == "+":
            place.append(self.value)
        else:
            place[last] = self.value
        return mutant


def _statement(policy: int, index: int) -> tuple[str | int, ...]:
    return ("Policies", policy, "PolicyDocument", "Statement", index)


TENANT = ("TenantRole", *_statement(0, 0))
READS_EXPORTS, WRITES_EXPORTS = ("TenantRole", *_statement(1, 0)), ("LifecycleRole", *_statement(1, 0))
SOCKETS = ("SocketsAccess", "PolicyDocument", "Statement", 0)
SERVICE = ("ServiceAccess", "PolicyDocument", "Statement")
TRUST = ("AssumeRolePolicyDocument", "Statement", 0)
HTTP_ROLE = "arn:aws:iam::123456789012:role/HttpFunctionRole"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
SCAN = {"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": "arn:aws:dynamodb:us-east-1:1:table/t"}
REGISTRY_READ = {
    "Sid": "Registry",
    "Effect": "Allow",
    "Action": "dynamodb:PutItem",
    "Resource": "arn:aws:dynamodb:us-east-1:1:table/t",
    "Condition": {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": "P#*"},
        "Null": {"dynamodb:LeadingKeys": "false"},
    },
}
QUERY_LOG = '{"requestId":"$context.requestId","path":"$context.path","q":"$request.querystring.token"}'
BOARD = '{"widgets": [{"type": "log", "properties": {"query": "SOURCE \'/else\' | stats count(*)"}}]}'

OF_FUNCTIONS = [
    Fault(functions.timeouts, ("HttpFunction", "Timeout"), 30),
    Fault(functions.timeouts, ("WebSocketFunction", "Timeout"), 29),
    Fault(functions.timeouts, ("SweepFunction", "Timeout"), 60),
    Fault(functions.timeouts, ("StreamFunction", "Timeout")),
    Fault(functions.runtimes, ("HttpFunction", "Runtime"), "python3.11"),
    Fault(functions.runtimes, ("StreamFunction", "MemorySize"), 128),
    Fault(functions.runtimes, ("HttpFunction", "AutoPublishAliasAllProperties"), value=False),
    Fault(functions.runtimes, ("SweepFunction", "AutoPublishCodeSha256"), ""),
    Fault(functions.environments, ("HttpFunction", "Environment", "Variables", "TENANT_ROLE_ARN")),
    Fault(functions.environments, ("HttpFunction", "Environment", "Variables", "TABEL_NAME"), "x"),
    Fault(functions.environments, ("HttpFunction", "Environment", "Variables", "CURSOR_SECRETS"), "s" * 40),
    Fault(functions.environments, ("SweepFunction", "Environment", "Variables", "JWT_ISSUER"), "http://a"),
    Fault(
        functions.environments, ("SweepFunction", "Environment", "Variables", "AWS_ENDPOINT_URL"), "http://a"
    ),
    Fault(
        functions.environments,
        ("HttpFunction", "Environment", "Variables", "AWS_ENDPOINT_URL"),
        REMOVED,
        "emulator",
    ),
    Fault(
        functions.platform_roles,
        ("StreamFunction", "Environment", "Variables", "PLATFORM_ROLE_ARN"),
        "arn:aws:iam::123456789012:role/PlatformRole",
    ),
    Fault(functions.logs, ("HttpFunction", "LoggingConfig")),
    Fault(functions.logs, ("HttpFunction", "LoggingConfig", "LogGroup"), "/graphql-api/stream"),
    Fault(functions.logs, ("SweepLogs", "RetentionInDays")),
    Fault(functions.warmth, ("HttpFunction", "ProvisionedConcurrencyConfig"), {"n": 1}),
    Fault(functions.warmth, ("StreamFunction", "SnapStart", "ApplyOn"), "None"),
    Fault(functions.stream_mapping, ("StreamMapping", "BatchSize"), 1000),
    Fault(functions.stream_mapping, ("StreamMapping", "FunctionResponseTypes")),
    Fault(functions.stream_mapping, ("StreamMapping", "BisectBatchOnFunctionError"), value=False),
    Fault(functions.stream_mapping, ("StreamMapping", "MaximumRetryAttempts")),
    Fault(functions.stream_mapping, ("StreamMapping", "MaximumRetryAttempts"), -1),
    Fault(functions.stream_mapping, ("StreamMapping", "MaximumRecordAgeInSeconds"), -1),
    Fault(functions.stream_mapping, ("StreamMapping", "MaximumRecordAgeInSeconds"), 86400),
    Fault(functions.stream_mapping, ("StreamMapping", "DestinationConfig")),
    Fault(functions.stream_mapping, ("StreamMapping", "StartingPosition"), "LATEST"),
    Fault(functions.stream_mapping, ("StreamMapping", "FunctionName"), "StreamFunction"),
    Fault(functions.stream_mapping, ("StreamMapping", "MaximumBatchingWindowInSeconds"), 5),
    Fault(functions.queues, ("StreamFailures", "SqsManagedSseEnabled")),
    Fault(functions.queues, ("SweepFailures", "MessageRetentionPeriod"), 345600),
    Fault(functions.webhook_queue, ("WebhookQueue", "VisibilityTimeout"), 60),
    Fault(functions.webhook_queue, ("WebhookQueue", "RedrivePolicy")),
    Fault(functions.webhook_queue, ("WebhookQueue", "RedrivePolicy", "maxReceiveCount"), 1),
    Fault(functions.webhook_queue, ("WebhookMapping", "EventSourceArn"), "arn:aws:sqs:::WebhookFailures"),
    Fault(functions.webhook_queue, ("WebhookMapping", "FunctionName"), "WebhookFunction"),
    Fault(functions.webhook_queue, ("WebhookMapping", "FunctionResponseTypes")),
    Fault(functions.schedule, ("SweepSchedule", "ScheduleExpression"), "rate(1 hour)"),
    Fault(functions.schedule, ("JobsSchedule", "ScheduleExpression"), "rate(1 hour)"),
    Fault(
        functions.platform_roles,
        ("HttpFunction", "Environment", "Variables", "TENANT_ROLE_ARN"),
        HTTP_ROLE.replace("HttpFunctionRole", "LifecycleRole"),
    ),
    Fault(functions.schedule, ("SweepSchedule", "Targets", 0, "DeadLetterConfig")),
    Fault(functions.schedule, ("SweepFunction", "EventInvokeConfig", "DestinationConfig")),
    Fault(
        functions.schedule, ("SweepSchedule", "Targets", 0, "Arn"), "arn:aws:lambda:::function:SweepFunction"
    ),
]
OF_ACCESS = [
    Fault(access.wildcards, (*TENANT, "Action"), "dynamodb:*"),
    Fault(access.wildcards, (*TENANT, "Action", "+"), "dynamodb:Batch*"),
    Fault(access.wildcards, (*TENANT, "Resource"), "*"),
    Fault(access.wildcards, (*SOCKETS, "Resource"), "arn:aws:dynamodb:us-east-1:123456789012:table/*"),
    Fault(
        access.wildcards, (*SERVICE, 0, "Resource"), "arn:aws:secretsmanager:us-east-1:123456789012:secret:*"
    ),
    Fault(
        access.wildcards, ("HttpFunctionRole", *_statement(0, 0), "Resource"), "arn:aws:logs:::log-group:*:*"
    ),
    Fault(access.wildcards, (*SERVICE, 1, "NotAction"), "iam:*"),
    Fault(access.wildcards, (*SERVICE, 1, "Resource")),
    Fault(access.managed_policies, ("HttpFunctionRole", "ManagedPolicyArns"), [ADMINISTRATOR]),
    Fault(access.managed_policies, ("StreamAccess", "^", "Type"), "AWS::IAM::ManagedPolicy"),
    Fault(access.managed_policies, ("HttpFunction", "Policies"), ["DynamoDBCrudPolicy"]),
    Fault(access.items, (*TENANT, "Condition")),
    Fault(access.items, (*TENANT, "Condition", "Null")),
    Fault(access.items, (*TENANT, "Condition", "StringLike")),
    Fault(access.items, (*TENANT, "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys"), "T#*"),
    Fault(access.items, (*SOCKETS, "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys"), "*#*"),
    Fault(access.items, (*SERVICE, "+"), SCAN),
    Fault(access.own_rights, ("StreamAccess", "Roles", "+"), "HttpFunctionRole"),
    Fault(access.own_rights, (*SERVICE, "+"), REGISTRY_READ),
    Fault(access.own_rights, ("SocketsAccess", "Roles", "+"), "HttpFunctionRole"),
    Fault(access.own_rights, ("SocketsAccess", "Roles", 2), "WebSocketFunctionRole"),
    Fault(
        access.assumptions,
        ("PlatformRole", *TRUST, "Principal", "AWS", "+"),
        HTTP_ROLE.replace("Http", "Stream"),
    ),
    Fault(access.assumptions, ("PlatformRole", *TRUST, "Principal"), {"AWS": "*"}),
    Fault(access.assumptions, ("PlatformAccess", "Roles", "+"), "SweepFunctionRole"),
    Fault(access.assumptions, ("TenantRole", *TRUST, "Condition")),
    Fault(access.assumptions, ("TenantRole", *TRUST, "Condition", "StringLike")),
    Fault(access.assumptions, ("TenantRole", *TRUST, "Condition", "ForAllValues:StringEquals")),
    Fault(access.assumptions, ("TenantRole", *TRUST, "Action"), "sts:AssumeRole"),
    Fault(
        access.assumptions,
        (
            "RegistryReaderRole",
            *TRUST,
            "Action",
        ),
        ["sts:AssumeRole", "sts:TagSession"],
    ),
    Fault(access.assumptions, ("LifecycleRole", *TRUST, "Condition", "StringLike")),
    Fault(access.assumptions, ("LifecycleRole", *TRUST, "Principal"), {"AWS": HTTP_ROLE}),
    Fault(access.exports, (*READS_EXPORTS, "Action"), ["s3:GetObject", "s3:PutObject"]),
    Fault(access.exports, (*READS_EXPORTS, "Resource"), "arn:aws:s3:::ExportBucket/*"),
    Fault(access.exports, (*WRITES_EXPORTS, "Condition")),
    Fault(access.services, ("HttpFunctionRole", *TRUST, "Principal"), {"Service": "ec2.amazonaws.com"}),
    Fault(
        access.services, ("SweepScheduleMayReportFailures", "PolicyDocument", "Statement", 0, "Condition"), {}
    ),
    Fault(access.services, ("HttpApiMayInvoke", "SourceArn")),
]
OF_RESOURCES = [
    Fault(
        resources.tables,
        ("Table", "GlobalSecondaryIndexes", 0, "Projection"),
        {"ProjectionType": "KEYS_ONLY"},
    ),
    Fault(resources.tables, ("Table", "GlobalSecondaryIndexes", 4)),
    Fault(resources.tables, ("Table", "StreamSpecification", "StreamViewType"), "NEW_IMAGE"),
    Fault(resources.tables, ("ControlTable", "StreamSpecification"), {"StreamViewType": "NEW_IMAGE"}),
    Fault(resources.tables, ("ControlTable", "BillingMode"), "PROVISIONED"),
    Fault(resources.safekeeping, ("Table", "TimeToLiveSpecification")),
    Fault(
        resources.safekeeping,
        ("Table", "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"),
        "no",
    ),
    Fault(resources.safekeeping, ("ControlTable", "DeletionProtectionEnabled"), value=False),
    Fault(resources.safekeeping, ("ControlTable", "^", "DeletionPolicy")),
    Fault(resources.safekeeping, ("Table", "^", "UpdateReplacePolicy"), "Delete"),
    Fault(resources.safekeeping, ("Table", "SSESpecification"), REMOVED, "customer key"),
    Fault(
        resources.exports, ("ExportBucket", "PublicAccessBlockConfiguration", "BlockPublicAcls"), value=False
    ),
    Fault(resources.exports, ("ExportBucket", "LifecycleConfiguration", "Rules", 0, "ExpirationInDays")),
    Fault(
        resources.exports,
        ("ExportBucketPolicy", "PolicyDocument", "Statement", 0, "Condition"),
        {"Bool": {"aws:SecureTransport": "true"}},
    ),
    Fault(
        resources.exports,
        ("ExportBucket", "BucketEncryption", "ServerSideEncryptionConfiguration", 0),
        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}},
        "customer key",
    ),
    Fault(resources.stages, ("HttpStage", "DefaultRouteSettings")),
    Fault(resources.stages, ("WebSocketStage", "DefaultRouteSettings", "ThrottlingRateLimit"), 0),
    Fault(resources.access_logs, ("WebSocketStage", "DefaultRouteSettings", "DataTraceEnabled"), value=True),
    Fault(resources.stages, ("WebSocketStage", "AutoDeploy")),
    Fault(resources.access_logs, ("HttpStage", "AccessLogSettings")),
    Fault(resources.access_logs, ("HttpStage", "AccessLogSettings", "Format"), QUERY_LOG),
    Fault(resources.routes, ("HttpIntegration", "IntegrationUri"), "arn:aws:lambda:::function:HttpFunction"),
    Fault(resources.routes, ("HttpIntegration", "PayloadFormatVersion"), "1.0"),
    Fault(resources.routes, ("WebSocketDisconnect", "RouteKey"), "ping"),
    Fault(resources.routes, ("HttpApi", "CorsConfiguration"), {}),
    Fault(resources.alarms, ("StreamLags", "AlarmActions")),
    Fault(resources.alarms, ("StreamLags", "TreatMissingData")),
    Fault(resources.alarms, ("StreamLags", "Dimensions", 0, "Value"), "StreamFunctoin"),
    Fault(resources.alarms, ("HttpErrors", "Dimensions", 1)),
    Fault(resources.alarms, ("StreamGaveUp", "Dimensions", 0, "Value"), "SomeQueue"),
    Fault(resources.alarms, ("AccessDenied", "MetricName"), "AccesDenied"),
    Fault(resources.alarms, ("AccessDenied", "Dimensions"), [{"Name": "Tenant", "Value": "t"}]),
    Fault(resources.alarms, ("ClientsGone", "Metrics", 1, "MetricStat", "Metric", "MetricName"), "Gone"),
    Fault(resources.watched, ("StreamLags", "MetricName"), "Duration"),
    Fault(resources.watched, ("SweepGaveUp", "MetricName"), "NumberOfMessagesSent"),
    Fault(resources.watched, ("HttpThrottles", "MetricName"), "Errors"),
    Fault(
        resources.tripwires, ("AccessDeniedInHttp", "FilterPattern"), '{ $.message = "DynamoDB refused." }'
    ),
    Fault(resources.tripwires, ("AccessDeniedInHttp", "FilterPattern"), "DynamoDB refused a call."),
    Fault(resources.tripwires, ("ForeignItemsInSweep", "LogGroupName"), "/graphql-api/stream"),
    Fault(resources.tripwires, ("ForeignItemsInSweep", "LogGroupName"), "/graphql-api/http-access"),
    Fault(resources.dashboard, ("Dashboard", "DashboardBody"), BOARD),
    Fault(resources.emulated, ("HttpApi", "^", "Type"), "AWS::Serverless::HttpApi", "emulator"),
    Fault(resources.emulated, ("HttpErrors", "Metrics"), [], "emulator"),
    Fault(resources.emulated, ("HttpFunction", "DeploymentPreference", "Enabled"), "true", "emulator"),
]
OF_AUDIT = [
    Fault(audit.bucket, ("AuditBucket", "PublicAccessBlockConfiguration", "BlockPublicPolicy"), value=False),
    Fault(audit.bucket, ("AuditBucket", "BucketEncryption")),
    Fault(audit.bucket, ("AuditBucket", "VersioningConfiguration")),
    Fault(audit.bucket, ("AuditBucket", "LifecycleConfiguration")),
    Fault(audit.bucket, ("AuditBucket", "^", "UpdateReplacePolicy")),
    Fault(audit.bucket, ("AuditBucketPolicy", "PolicyDocument", "Statement", 1)),
    Fault(audit.lines, ("AuditLinesOfHttp", "LogGroupName"), "/graphql-api/stream"),
    Fault(audit.lines, ("AuditLinesOfHttp", "FilterPattern"), ""),
    Fault(audit.lines, ("StreamFunction", "Environment", "Variables", "AUDIT_STREAM"), "off"),
    Fault(audit.heads, ("HeadKey", "KeyUsage"), "ENCRYPT_DECRYPT"),
    Fault(audit.heads, ("HeadKey", "^", "DeletionPolicy")),
    Fault(audit.narrow, ("HeadsAccess", "Roles", "+"), "HttpFunctionRole"),
    Fault(audit.narrow, ("EventsAccess", "Roles", "+"), "HttpFunctionRole", "event bus"),
]
FAULTS = [*OF_FUNCTIONS, *OF_ACCESS, *OF_RESOURCES, *OF_AUDIT]
RULES = [*functions.RULES, *access.RULES, *resources.RULES, *audit.RULES]

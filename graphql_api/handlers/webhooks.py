"""The Lambda function behind the webhooks' queue; to import this module builds the system."""

from graphql_api.handlers.events import WebhookHandler
from graphql_api.handlers.function import start

handler = start(WebhookHandler)

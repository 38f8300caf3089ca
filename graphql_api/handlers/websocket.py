"""The Lambda function behind the WebSocket API; to import this module builds the system."""

from graphql_api.handlers.events import WebSocketHandler
from graphql_api.handlers.function import start

handler = start(WebSocketHandler)

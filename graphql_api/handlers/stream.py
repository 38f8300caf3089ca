"""The Lambda function behind the data table's stream; to import this module builds the system."""

from graphql_api.handlers.events import StreamHandler
from graphql_api.handlers.function import start

handler = start(StreamHandler)

"""The Lambda function behind HTTP; to import this module builds the system."""

from graphql_api.handlers.api_gateway import HttpHandler
from graphql_api.handlers.function import start

handler = start(HttpHandler)

"""The Lambda function of every minute; to import this module builds the system."""

from graphql_api.handlers.events import SweepHandler
from graphql_api.handlers.function import start

handler = start(SweepHandler)

"""The Lambda function of every minute that advances jobs; to import this module builds the system."""

from graphql_api.handlers.events import JobsHandler
from graphql_api.handlers.function import start

handler = start(JobsHandler)

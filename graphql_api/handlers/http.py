"""The Lambda function behind HTTP: importing this module builds the system from the environment."""

from graphql_api import telemetry
from graphql_api.bootstrap import build_services
from graphql_api.handlers.api_gateway import HttpHandler
from graphql_api.settings import Settings

telemetry.configure()
handler = HttpHandler(build_services(Settings.from_env()))

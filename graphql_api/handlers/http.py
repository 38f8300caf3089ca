"""The Lambda function behind HTTP: importing this module builds the system from the environment."""

import gc

from graphql_api import telemetry
from graphql_api.bootstrap import build_services
from graphql_api.handlers.api_gateway import HttpHandler
from graphql_api.settings import Settings

telemetry.configure()
handler = HttpHandler(build_services(Settings.from_env()))
# What is built here stays: a full collection would walk it, for 50 ms in the middle of somebody's request.
gc.freeze()

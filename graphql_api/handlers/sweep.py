"""The Lambda function of every minute; to import this module builds the system."""

import gc

from graphql_api import telemetry
from graphql_api.bootstrap import build_services
from graphql_api.handlers.events import SweepHandler
from graphql_api.settings import Settings

telemetry.configure()
handler = SweepHandler(build_services(Settings.from_env()))
# What is built here stays: a full collection would walk it, for 50 ms in the middle of somebody's event.
gc.freeze()

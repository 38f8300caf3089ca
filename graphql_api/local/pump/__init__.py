"""A table's stream to our function on one machine, as Lambda's event source mapping does it."""

from graphql_api.local.pump.mapping import Discarded, MappingSettings
from graphql_api.local.pump.pump import StreamPump

__all__ = ["Discarded", "MappingSettings", "StreamPump"]

"""API Gateway for WebSockets on one machine: sockets in, Lambda events out, frames posted back."""

from graphql_api.local.gateway.connection import Limits
from graphql_api.local.gateway.gateway import WebSocketGateway
from graphql_api.local.gateway.management import Faults

__all__ = ["Faults", "Limits", "WebSocketGateway"]

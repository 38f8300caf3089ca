"""Subscriptions over API Gateway's WebSockets: the protocol, who listens to what, and the fan-out."""

"""API keys: how programs sign in, as a person or as a machine user."""

from graphql_api.feature import Feature
from graphql_api.features.api_keys.mutations import ApiKeyMutation, ApiKeyQuery

FEATURE = Feature(query=ApiKeyQuery, mutation=ApiKeyMutation)

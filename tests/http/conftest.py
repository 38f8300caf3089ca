import pytest
from starlette.applications import Starlette

from graphql_api.app import create_app
from graphql_api.settings import Profile
from tests.http import protocol


@pytest.fixture
def services() -> protocol.Services:
    """A production system over the small schema."""
    return protocol.services()


@pytest.fixture
def app(services: protocol.Services) -> Starlette:
    return create_app(services)


@pytest.fixture
def development_app() -> Starlette:
    return create_app(protocol.services(Profile.DEVELOPMENT))

import pytest

from tests.reliability.virtual_time import BACKEND, virtual_deadlines

__all__ = ["virtual_deadlines"]


@pytest.fixture(scope="session")
def anyio_backend() -> object:
    return BACKEND

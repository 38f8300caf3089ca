from collections.abc import Iterator

import pytest

from tests.reliability.realtime import installation


@pytest.fixture
def in_memory() -> Iterator[None]:
    """The product over tables in memory, on virtual time."""
    with installation.in_memory():
        yield

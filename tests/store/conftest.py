import pytest

from mockserver.context import Tenant
from mockserver.store.memory import MemoryStore
from mockserver.store.protocol import Store


@pytest.fixture
def store() -> Store:
    return MemoryStore()


@pytest.fixture
def tenant() -> Tenant:
    return Tenant("acme")

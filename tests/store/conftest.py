import pytest

from mockserver.context import Tenant
from mockserver.store.base import Store
from mockserver.store.memory import MemoryStore


@pytest.fixture
def store() -> Store:
    return MemoryStore()


@pytest.fixture
def tenant() -> Tenant:
    return Tenant("acme")

import pytest

from mockserver.context import Tenant
from mockserver.store.memory import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def tenant() -> Tenant:
    return Tenant("acme")

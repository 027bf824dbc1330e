"""The state of a fake."""

from collections.abc import Mapping
from typing import Any

from mockserver.determinism import AdjustableClock, Clock, IdSource, RandomIds, SequentialIds
from mockserver.gateway.auth import default_account, key_fingerprint
from mockserver.gateway.faults.plan import FaultPlan
from mockserver.gateway.journal import Journal
from mockserver.gateway.open_requests import OpenRequests
from mockserver.gateway.rate_limit import RateCounter
from mockserver.gateway.tokens import TokenIssuer
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.items import ItemFactory
from mockserver.resources.past import Past
from mockserver.resources.seeds import Seeder, ValidatedSeed
from mockserver.settings import DEFAULT_API_KEY, Seed, Settings
from mockserver.store.memory import MemoryStore


class State:
    """Everything that one fake remembers: records, journal, planned faults, clock, ids and rate counters.

    A method that takes an API `key` affects only what belongs to the key: its journal entries, faults and rate
    counters, and the records, clock and ids of its account. Without a key, it affects everything.
    """

    def __init__(
        self,
        settings: Settings,
        id_prefixes: Mapping[str, str],
        *,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        store: MemoryStore | None = None,
    ) -> None:
        self.settings = settings
        self._accounts = settings.accounts()
        self.store = store or MemoryStore()
        self.journal = Journal()
        self.faults = FaultPlan()
        self.clock = clock or AdjustableClock()
        self.ids = ids or (SequentialIds() if settings.ids == "sequential" else RandomIds())
        self.tokens = TokenIssuer(self.clock)
        self.rate_counters = [RateCounter(rate, self.clock) for rate in settings.rates()]
        self.id_allocator = IdAllocator(self.store, self.ids, id_prefixes)
        self.item_factory = ItemFactory(self.id_allocator)
        self.open_requests = OpenRequests()
        self._seeder = Seeder(self.store, self.item_factory, self.id_allocator, self.clock, self.account_of)
        self._seeds = [self._seeder.read(seed) for seed in settings.seeds]
        self._load_seeds()

    def account_of(self, key: str | None) -> str:
        """Return the account of an API key; the default key is the first listed one."""
        key = key if key is not None else next(iter(self._accounts), DEFAULT_API_KEY)
        return self._accounts.get(key) or default_account(key)

    def reset(self, key: str | None = None) -> None:
        """Restore the initial state, including the seeds of the settings; requests under way end in the old state."""
        account = self._account(key)
        fingerprint = None if key is None else key_fingerprint(key)
        # Requests under way must not change which ids the new state generates.
        ids = SequentialIds() if self.settings.ids == "sequential" else self.ids
        past = Past(self.store, self.id_allocator, ids, account)
        for context in self.open_requests.contexts(account):
            context.past = context.past or past.restored
        self.journal.clear(fingerprint)
        self.faults.clear(fingerprint)
        self.clock.reset(account)
        self.id_allocator.reset(account)
        for counter in self.rate_counters:
            counter.clear(fingerprint)
        self._load_seeds(account)

    def seed(self, seed: Seed, key: str | None = None) -> None:
        """Add a whole seed to the store; SeedError, and nothing added, if it cannot be used."""
        account = self._account(key)
        self._seeder.load(self._read_seed(seed, account), default=account)

    def snapshot(self, key: str | None = None) -> dict[str, Any]:
        """Return the contents of the store as a seed, which names accounts and never keys."""
        return self._seeder.snapshot(self._account(key))

    def restore(self, snapshot: Seed, key: str | None = None) -> None:
        """Replace the contents of the store by a seed; SeedError, and nothing replaced, if it cannot be used."""
        account = self._account(key)
        seed = self._read_seed(snapshot, account)
        detached = self.store.detach(account)
        try:
            self._seeder.load(seed, default=account)
        except Exception:
            self.store.detach(account)
            self.store.attach(detached)
            raise

    def _account(self, key: str | None) -> str | None:
        return None if key is None else self.account_of(key)

    def _read_seed(self, seed: Seed, account: str | None) -> ValidatedSeed:
        """Read a seed; with an `account`, all of it must belong to that account."""
        validated = self._seeder.read(seed)
        if account is not None:
            self._seeder.check_owner(validated, account)
        return validated

    def _load_seeds(self, account: str | None = None) -> None:
        for seed in self._seeds:
            self._seeder.load(seed, only=account)

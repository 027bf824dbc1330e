"""All that a fake remembers, in one object that can be held."""

import copy
from collections.abc import Mapping
from typing import Any

from mockserver.determinism import AdjustableClock, Clock, IdSource, RandomIds, SequentialIds
from mockserver.gateway.auth import default_account, key_fingerprint
from mockserver.gateway.faults.plan import FaultPlan
from mockserver.gateway.journal import Journal
from mockserver.gateway.rate_limit import RateCounter
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.items import ItemFactory
from mockserver.resources.seeds import Seeder, ValidatedSeed
from mockserver.settings import DEFAULT_API_KEY, Seed, Settings
from mockserver.store.memory import MemoryStore
from mockserver.store.protocol import Store


class State:
    """The store, the journal, the planned faults, the clock, the ids and the counts of the rate limit.

    Where a method takes an API `key`, it acts only on what belongs to it: what its account has stored, its account's
    clock and ids, its own exchanges and faults.
    """

    def __init__(
        self,
        settings: Settings,
        id_prefixes: Mapping[str, str],
        *,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        store: Store | None = None,
    ) -> None:
        self.settings = settings
        self.store = store or MemoryStore()
        self.journal = Journal()
        self.faults = FaultPlan()
        self.clock = clock or AdjustableClock()
        self.ids = ids or (SequentialIds() if settings.ids == "sequential" else RandomIds())
        self.rate_counters = [RateCounter(rate) for rate in settings.rates()]
        self.id_allocator = IdAllocator(self.store, self.ids, id_prefixes)
        self.item_factory = ItemFactory(self.id_allocator)
        self._seeder = Seeder(self.store, self.item_factory, self.id_allocator, self.clock, self.account_of)
        # A copy, for a reset loads them again, and who gave them may change what was given.
        self._seeds = [self._seeder.read(copy.deepcopy(seed)) for seed in settings.seeds]
        self._load_seeds()

    def account_of(self, key: str | None) -> str:
        """The account of an API key; without one, that of the first listed key, else that of the default key."""
        accounts = self.settings.accounts()
        key = key if key is not None else next(iter(accounts), DEFAULT_API_KEY)
        return accounts.get(key) or default_account(key)

    def reset(self, key: str | None = None) -> None:
        """As when the fake was made, its seeds included."""
        account, mark = self._of(key)
        if account is None:
            self.store.reset()
        else:
            self.store.detach(account)
        self.journal.clear(mark)
        self.faults.clear(mark)
        self.clock.reset(account)
        self.ids.reset(account)
        for counter in self.rate_counters:
            counter.clear(mark)
        self._load_seeds(account)

    def seed(self, seed: Seed, key: str | None = None) -> None:
        """Add a seed, all of it or nothing.

        Raises:
            UsageError: it cannot be used; the message names the place.
        """
        account, _ = self._of(key)
        self._seeder.load(self._owned(self._seeder.read(seed), account), default=account)

    def snapshot(self, key: str | None = None) -> dict[str, Any]:
        """What is stored, as a seed. It names accounts, never keys."""
        account, _ = self._of(key)
        return self._seeder.snapshot(account)

    def restore(self, snapshot: Seed, key: str | None = None) -> None:
        """Put a snapshot or a seed in the place of what is stored.

        Raises:
            UsageError: it cannot be used, and nothing has changed; the message names the place.
        """
        account, _ = self._of(key)
        data = self._owned(self._seeder.read(snapshot), account)
        detached = self.store.detach(account)
        try:
            self._seeder.load(data, default=account)
        except Exception:
            self.store.detach(account)
            self.store.attach(detached)
            raise

    def _of(self, key: str | None) -> tuple[str | None, str | None]:
        """The account and the fingerprint of a key; both None without one."""
        return (None, None) if key is None else (self.account_of(key), key_fingerprint(key))

    def _owned(self, seed: ValidatedSeed, account: str | None) -> ValidatedSeed:
        """The seed, found to name no other account than this one."""
        if account is not None:
            self._seeder.check_owner(seed, account)
        return seed

    def _load_seeds(self, account: str | None = None) -> None:
        for seed in self._seeds:
            self._seeder.load(seed, only=account)

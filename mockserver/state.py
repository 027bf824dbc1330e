"""The state of a fake."""

from collections.abc import Mapping
from typing import Any

from mockserver.contract.contract import Contract
from mockserver.determinism import AdjustableClock, Clock, IdSource, RandomIds, SequentialIds
from mockserver.gateway.auth import default_account, key_fingerprint
from mockserver.gateway.faults.model import find_inline_mistakes
from mockserver.gateway.faults.plan import FaultPlan
from mockserver.gateway.journal import Journal
from mockserver.gateway.open_requests import OpenRequests
from mockserver.gateway.rate_limit import RateCounter
from mockserver.gateway.tokens import TokenIssuer
from mockserver.replies.model import Reply
from mockserver.replies.plan import ReplyPlan
from mockserver.replies.validator import ReplyValidator
from mockserver.resources.conversation_seeds import ConversationSeeds
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.items import ItemFactory
from mockserver.resources.past import Past
from mockserver.resources.seed_section import SeedSection
from mockserver.resources.seeds import Seeder, SeedError, ValidatedSeed
from mockserver.responses.background import Background
from mockserver.responses.seeds import ResponseSeeds
from mockserver.responses.webhooks import WebhookSender
from mockserver.settings import DEFAULT_API_KEY, Seed, Settings
from mockserver.store.memory import MemoryStore, TenantData


class State:
    """Everything that one fake remembers: records, journal, planned faults and replies, clock, ids and rate counters.

    A method that takes an API `key` affects only what belongs to the key: its journal entries, faults, replies and
    rate counters, and the records, clock and ids of its account. Without a key, it affects everything.
    """

    def __init__(
        self,
        settings: Settings,
        contract: Contract,
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
        self.replies = ReplyPlan()
        self.reply_validator = ReplyValidator(find_inline_mistakes)
        self.clock = clock or AdjustableClock()
        self.ids = ids or (SequentialIds() if settings.ids == "sequential" else RandomIds())
        self.tokens = TokenIssuer(self.clock)
        self.rate_counters = [RateCounter(rate, self.clock) for rate in settings.rates()]
        self.id_allocator = IdAllocator(self.store, self.ids, contract.id_prefixes)
        self.item_factory = ItemFactory(self.id_allocator)
        self.open_requests = OpenRequests()
        self.webhooks = WebhookSender(self.clock, self.ids, settings.webhook_hosts)
        self.background = Background(self.clock, self.webhooks)
        self.response_defaults = contract.operations["createResponse"].body_content["application/json"].field_defaults
        self._seeder = Seeder(self._seed_sections(), self.id_allocator, self.account_of)
        self._seeds = [self._read_seed(seed) for seed in settings.seeds]
        self._load_seeds()

    def account_of(self, key: str | None) -> str:
        """Return the account of an API key; the default key is the first listed one."""
        key = key if key is not None else next(iter(self._accounts), DEFAULT_API_KEY)
        return self._accounts.get(key) or default_account(key)

    def reset(self, key: str | None = None) -> None:
        """Restore the initial state, including the seeds of the settings.

        Requests under way end in the old state, and responses in the background are cancelled in it.
        """
        account = self._account(key)
        fingerprint = _fingerprint(key)
        self.background.end_all(account)
        # Requests under way must not change which ids the new state generates.
        ids = SequentialIds() if self.settings.ids == "sequential" else self.ids
        past = Past(self.store, self.id_allocator, ids, account)
        for context in self.open_requests.contexts(account):
            context.past = context.past or past.restored
        self.journal.clear(fingerprint)
        self.webhooks.clear(fingerprint)
        self.faults.clear(fingerprint)
        self.replies.clear(fingerprint)
        self.clock.reset(account)
        self.id_allocator.reset(account)
        for counter in self.rate_counters:
            counter.clear(fingerprint)
        self._load_seeds(key)

    def seed(self, seed: Seed, key: str | None = None) -> None:
        """Add a whole seed to the store; SeedError, and nothing added, if it cannot be used."""
        validated = self._read_seed(seed, key)
        self._seeder.load(validated, default=self._account(key))
        self._plan_replies(validated, default=_fingerprint(key))

    def snapshot(self, key: str | None = None) -> dict[str, Any]:
        """Return the contents of the store and the planned replies as a seed, which names accounts and never keys."""
        replies = self.replies.snapshot(_fingerprint(key))
        self.background.settle_account(self._account(key))
        return self._seeder.snapshot(self._account(key)) | ({"replies": replies} if replies else {})

    def restore(self, snapshot: Seed, key: str | None = None) -> None:
        """Replace the contents of the store and the replies by a seed; SeedError, and nothing replaced, if invalid."""
        account = self._account(key)
        seed = self._read_seed(snapshot, key)
        detached = self.store.detach(account)
        try:
            self._seeder.load(seed, default=account)
        except Exception:
            self.store.detach(account)
            self.store.attach(detached)
            raise
        self._end_background(detached, account)
        self.replies.clear(_fingerprint(key))
        self._plan_replies(seed, default=_fingerprint(key))

    def _end_background(self, detached: TenantData, account: str | None) -> None:
        """Cancel the responses in the background in the data that they belong to."""
        present = self.store.detach(account)
        self.store.attach(detached)
        self.background.end_all(account)
        self.store.detach(account)
        self.store.attach(present)

    def _account(self, key: str | None) -> str | None:
        return None if key is None else self.account_of(key)

    def _seed_sections(self) -> dict[str, SeedSection]:
        tools = self.store, self.item_factory, self.id_allocator, self.clock
        return {
            "conversations": ConversationSeeds(*tools),
            "responses": ResponseSeeds(*tools, self.response_defaults),
        }

    def _read_seed(self, seed: Seed, key: str | None = None) -> ValidatedSeed:
        """Read a seed; with an API key, all of it must belong to the key or its account."""
        validated = self._seeder.read(seed)
        if key is not None:
            self._seeder.check_owner(validated, self.account_of(key))
        for index, data in enumerate(validated.section("replies")):
            pointer = f"/replies/{index}"
            if findings := self.reply_validator.find_mistakes(data, "body", pointer):
                raise SeedError(validated.name, findings[0].pointer, findings[0].message)
            if key is not None and _reply_key(data) not in (None, key_fingerprint(key)):
                raise SeedError(validated.name, pointer, "belongs to another API key")
        return validated

    def _load_seeds(self, key: str | None = None) -> None:
        for seed in self._seeds:
            self._seeder.load(seed, only=self._account(key))
            self._plan_replies(seed, only=_fingerprint(key))

    def _plan_replies(self, seed: ValidatedSeed, *, only: str | None = None, default: str | None = None) -> None:
        """Plan the replies of a seed, or those of the key `only`; `default` is the key of a reply that names none."""
        for data in seed.section("replies"):
            reply_key = _reply_key(data) or default
            if only in (None, reply_key):
                self.replies.add(Reply.from_dict(data, reply_key))


def _fingerprint(key: str | None) -> str | None:
    return None if key is None else key_fingerprint(key)


def _reply_key(data: Mapping[str, Any]) -> str | None:
    """Return the fingerprint of the API key that a seeded reply applies to."""
    fingerprint: str | None = data.get("key")
    return fingerprint or _fingerprint(data.get("api_key"))

"""Seeds, which are starting states for the store, and snapshots, which are seeds too."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from mockserver.context import Tenant
from mockserver.contract import json_text
from mockserver.contract.contract import control_contract
from mockserver.contract.document import DocumentError, data_path, read_yaml
from mockserver.contract.json_text import JsonError
from mockserver.contract.schemas import Schema
from mockserver.determinism import LAST_SECOND, Clock
from mockserver.errors import ItemIdInUse, UsageError, parameter_name
from mockserver.findings import describe
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.items import ItemFactory
from mockserver.resources.plain_json import copy_json
from mockserver.resources.serialisation import item_json
from mockserver.settings import Seed
from mockserver.store.memory import MemoryStore
from mockserver.store.records import Conversation


class SeedError(UsageError):
    """A seed that cannot be used.

    `pointer` is the JSON pointer of the mistake within the seed, `place` the same as a path such as
    `conversations[0].id`; both are empty when the seed as a whole is wrong.
    """

    def __init__(self, seed_name: str, pointer: str, reason: str) -> None:
        self.seed_name = seed_name
        self.pointer = pointer
        self.place = parameter_name("body", pointer) or ""
        self.reason = reason
        super().__init__(": ".join(part for part in (f"seed {seed_name}", self.place, reason) if part))


class ValidatedSeed(NamedTuple):
    """A seed that matches its schema; `name` is for error messages."""

    name: str
    conversations: Sequence[Mapping[str, Any]]
    replies: Sequence[Mapping[str, Any]]


class Seeder:
    """Loads seeds into a store and takes snapshots of it, in the format of `spec/schemas/seed.yaml`.

    `account_of` returns the account of an API key, and for None the account of data that names no owner.
    """

    def __init__(
        self,
        store: MemoryStore,
        item_factory: ItemFactory,
        id_allocator: IdAllocator,
        clock: Clock,
        account_of: Callable[[str | None], str],
    ) -> None:
        self._store = store
        self._item_factory = item_factory
        self._id_allocator = id_allocator
        self._clock = clock
        self._account_of = account_of

    @cached_property
    def _schema(self) -> Schema:
        return control_contract().schemas.at("/components/schemas/Seed")

    def read(self, seed: Seed) -> ValidatedSeed:
        """Read and validate a seed, given as a shipped name, a path or a mapping."""
        name, read = _read(seed)
        try:
            data = copy_json(read)
        except JsonError as error:
            raise SeedError(name, error.pointer, error.message) from error
        findings = self._schema.validate_strictly(data, "request", "body")
        if findings:
            raise SeedError(name, findings[0].pointer, findings[0].message)
        return ValidatedSeed(name, data.get("conversations", ()), data.get("replies", ()))

    def check_owner(self, seed: ValidatedSeed, account: str) -> None:
        """Raise SeedError if a conversation of the seed belongs to another account."""
        for index, conversation in enumerate(seed.conversations):
            if self._tenant(conversation, account).account != account:
                reason = "belongs to another account than the API key's"
                raise SeedError(seed.name, f"/conversations/{index}", reason)

    def load(self, seed: ValidatedSeed, *, only: str | None = None, default: str | None = None) -> None:
        """Add a whole seed to the store, or nothing of it.

        With `only`, skip the conversations of other accounts. `default` is the account of conversations that name
        no owner. SeedError if an id is already in use, or a time is out of range.
        """
        for conversation in seed.conversations:  # Before the first id is generated.
            ids = [body["id"] for body in (conversation, *conversation.get("items", ())) if body.get("id")]
            self._id_allocator.reserve(self._tenant(conversation, default).account, ids)
        loaded: list[tuple[Tenant, str]] = []
        for index, conversation in enumerate(seed.conversations):
            tenant = self._tenant(conversation, default)
            if only is not None and tenant.account != only:
                continue
            try:
                loaded.append((tenant, self._add(tenant, conversation)))
            except _InvalidValue as error:
                for owner, conversation_id in loaded:
                    self._store.erase_conversation(owner, conversation_id)
                raise SeedError(seed.name, f"/conversations/{index}{error.pointer}", error.reason) from error

    def snapshot(self, account: str | None = None) -> dict[str, Any]:
        """Return the contents of the store, of one account or of all, as a seed."""
        return {
            "conversations": [
                {
                    "id": conversation.id,
                    "account": tenant.account,
                    **({} if tenant.end_user is None else {"end_user": tenant.end_user}),
                    "metadata": dict(conversation.metadata),
                    "created_at": conversation.created_at,
                    **({} if conversation.deleted_at is None else {"deleted_at": conversation.deleted_at}),
                    "items": [orjson.loads(item_json(item)) for item in items],
                }
                for tenant, conversation, items in self._store.contents(account)
            ]
        }

    def _tenant(self, data: Mapping[str, Any], default: str | None) -> Tenant:
        account = data.get("account")
        if account is None:
            key = data.get("api_key")
            account = default if key is None and default is not None else self._account_of(key)
        return Tenant(account, data.get("end_user"))

    def _add(self, tenant: Tenant, data: Mapping[str, Any]) -> str:
        """Add one conversation and return its id."""
        conversation_id = data.get("id") or self._id_allocator.new_conversation_id(tenant)
        if self._store.has_conversation(tenant, conversation_id):
            raise _InvalidValue("/id", f"the id {describe(conversation_id)} is already in use")
        created_at = data.get("created_at", self._clock.now(tenant.account))
        deleted_at = data.get("deleted_at")
        conversation = Conversation(
            id=conversation_id,
            created_at=_whole_second(created_at, "/created_at"),
            metadata=data.get("metadata", {}),
            deleted_at=None if deleted_at is None else _whole_second(deleted_at, "/deleted_at"),
        )
        items = self._item_factory.create_items(tenant, data.get("items", ()))
        try:
            self._store.restore_conversation(tenant, conversation, items)
        except ItemIdInUse as error:
            finding = error.findings[0]
            raise _InvalidValue(finding.pointer, finding.message) from error
        return conversation_id


class _InvalidValue(Exception):
    """A value that the store does not accept; `pointer` is relative to the conversation."""

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(pointer, reason)
        self.pointer = pointer
        self.reason = reason


def shipped_seeds() -> list[str]:
    """Return the names of the seeds in this package."""
    return sorted(path.stem for path in data_path("fixtures/seeds").glob("*.yaml"))


def _whole_second(time: float, pointer: str) -> int:
    if not 0 <= time <= LAST_SECOND:
        raise _InvalidValue(pointer, f"must be a time in Unix seconds, not {describe(time)}")
    return int(time)


def _read(seed: Seed) -> tuple[str, Any]:
    """Return the name and the content of a seed."""
    if isinstance(seed, Mapping):
        return "(given as a mapping)", seed
    path = Path(seed)
    if isinstance(seed, str) and seed in shipped_seeds():
        path = data_path(f"fixtures/seeds/{seed}.yaml")
    elif not path.is_file():
        names = ", ".join(shipped_seeds())
        raise SeedError(str(seed), "", f"there is no such file, and the shipped seeds are: {names}")
    try:
        if path.suffix == ".json":
            return str(seed), json_text.parse(path.read_bytes())
        return str(seed), read_yaml(path)
    except DocumentError as error:
        raise UsageError(f"seed {error}") from error
    except OSError as error:
        raise UsageError(f"seed {path}: {error.strerror}") from error
    except JsonError as error:
        raise SeedError(str(seed), error.pointer, error.message) from error

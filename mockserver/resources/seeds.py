"""Starting states: seeds, read, checked and put into the store; and snapshots, which are seeds."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from mockserver.context import Tenant
from mockserver.contract.document import DocumentError, data_path, load_document, read_yaml
from mockserver.contract.schemas import Schema, Schemas
from mockserver.determinism import Clock
from mockserver.errors import ApiError, UsageError, parameter_name
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.items import ItemFactory
from mockserver.resources.serialisation import item_json
from mockserver.settings import Seed
from mockserver.store.protocol import Store
from mockserver.store.records import Conversation

_END_OF_TIME = 253402300799  # The last second of the year 9999.


class ValidatedSeed(NamedTuple):
    """A seed that has the right form. `name` is for messages."""

    name: str
    conversations: Sequence[Mapping[str, Any]]


class Seeder:
    """Loads seeds and takes snapshots: `{conversations: [...]}`, as `spec/schemas/seed.yaml` describes it.

    `account_of` tells the account of an API key, and that of what names no owner when it is given None.
    """

    def __init__(
        self,
        store: Store,
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
        return Schemas(load_document(data_path("spec/control.yaml"))).at("/components/schemas/Seed")

    def read(self, seed: Seed) -> ValidatedSeed:
        """The seed of a shipped name, a path, or a mapping, found sound.

        Raises:
            UsageError: it cannot be used; the message names the place.
        """
        name, data = _read(seed)
        findings = self._schema.refusals(data, "request", "body")
        if findings:
            place = parameter_name("body", findings[0].pointer)
            raise UsageError(f"seed {name}: {place + ': ' if place else ''}{findings[0].message}")
        return ValidatedSeed(name, data.get("conversations", ()))

    def check_owner(self, seed: ValidatedSeed, account: str) -> None:
        """Find that a sound seed belongs to this account alone.

        Raises:
            UsageError: one of its conversations belongs to another.
        """
        for index, conversation in enumerate(seed.conversations):
            if self._tenant(conversation, account).account != account:
                raise UsageError(
                    f"seed {seed.name}: conversations[{index}]: belongs to another account than the API key's"
                )

    def load(self, seed: ValidatedSeed, *, only: str | None = None, default: str | None = None) -> None:
        """Put a sound seed into the store, all of it or nothing.

        `only` passes over what does not belong to this account; `default` is the account of what names no owner.

        Raises:
            UsageError: an id is taken, or otherwise not free to use; the message names the conversation.
        """
        loaded: list[tuple[Tenant, str]] = []
        for index, conversation in enumerate(seed.conversations):
            tenant = self._tenant(conversation, default)
            if only is not None and tenant.account != only:
                continue
            try:
                loaded.append((tenant, self._add(tenant, conversation)))
            except (ApiError, ValueError) as error:
                for owner, conversation_id in loaded:
                    self._store.erase_conversation(owner, conversation_id)
                raise UsageError(f"seed {seed.name}: conversations[{index}]: {error}") from error

    def snapshot(self, account: str | None = None) -> dict[str, Any]:
        """What is stored, for one account or for all, as a seed."""
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
        deleted_at = data.get("deleted_at")
        conversation = Conversation(
            id=data.get("id") or self._id_allocator.new_conversation_id(tenant),
            created_at=_second(data.get("created_at", self._clock.now(tenant.account))),
            metadata=dict(data.get("metadata", {})),  # Of one's own: who gave the seed may go on using it.
            deleted_at=None if deleted_at is None else _second(deleted_at),
        )
        self._store.restore_conversation(
            tenant, conversation, self._item_factory.create_items(tenant, data.get("items", ()))
        )
        return conversation.id


def shipped_seeds() -> list[str]:
    """The names of the seeds that come with the fake."""
    return sorted(path.stem for path in data_path("fixtures/seeds").glob("*.yaml"))


def _second(time: float) -> int:
    if not 0 <= time <= _END_OF_TIME:
        raise ValueError(f"{time} is not a time in Unix seconds")
    return int(time)


def _read(seed: Seed) -> tuple[str, Any]:
    if isinstance(seed, Mapping):
        return "(given as a mapping)", seed
    path = Path(seed)
    if isinstance(seed, str) and seed in shipped_seeds():
        path = data_path(f"fixtures/seeds/{seed}.yaml")
    elif not path.is_file():
        names = ", ".join(shipped_seeds())
        raise UsageError(f"seed {seed}: there is no such file, and the shipped seeds are: {names}")
    try:
        return str(seed), read_yaml(path)
    except DocumentError as error:
        raise UsageError(f"seed {error}") from error

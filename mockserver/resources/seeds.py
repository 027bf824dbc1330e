"""Starting states: seeds, read, checked and put into the store."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mockserver.context import Tenant
from mockserver.contract.document import DocumentError, data_path, load_document, read_yaml
from mockserver.contract.schemas import Schema, Schemas
from mockserver.determinism import Clock, IdSource
from mockserver.errors import ApiError, UsageError, parameter_name
from mockserver.resources.items import ItemMaker
from mockserver.settings import Seed
from mockserver.store.base import Store
from mockserver.store.records import Conversation


class Seeder:
    """Loads seeds: `{conversations: [{id?, metadata?, api_key? | account?, end_user?, created_at?, items?}]}`.

    A conversation without `api_key` and `account` belongs to `default_account`; `account_of` tells a key's account.
    """

    def __init__(
        self,
        store: Store,
        maker: ItemMaker,
        clock: Clock,
        ids: IdSource,
        id_prefix: str,
        default_account: str,
        account_of: Callable[[str], str],
    ) -> None:
        self._store = store
        self._maker = maker
        self._clock = clock
        self._ids = ids
        self._id_prefix = id_prefix
        self._default_account = default_account
        self._account_of = account_of
        self._schema = Schemas(load_document(data_path("spec/seed.yaml"))).at("/components/schemas/Seed")

    def load(self, seed: Seed) -> None:
        """Put a seed into the store: the name of a shipped one, a path, or a mapping.

        Raises:
            UsageError: it cannot be used; the message names the place.
        """
        name, data = _read(seed)
        _check(self._schema, name, data)
        for index, conversation in enumerate(data.get("conversations", ())):
            try:
                self._add(conversation)
            except (ApiError, ValueError) as error:
                raise UsageError(f"seed {name}: conversations[{index}]: {error}") from error

    def _add(self, data: Mapping[str, Any]) -> None:
        account = data.get("account") or (
            self._account_of(data["api_key"]) if "api_key" in data else self._default_account
        )
        tenant = Tenant(account, data.get("end_user"))
        conversation = Conversation(
            id=data.get("id") or self._ids.new_id(self._id_prefix),
            created_at=int(data.get("created_at", self._clock.now())),
            metadata=data.get("metadata", {}),
        )
        self._store.create_conversation(tenant, conversation, self._maker.make(tenant, data.get("items", ())))


def shipped_seeds() -> list[str]:
    """The names of the seeds that come with the fake."""
    return sorted(path.stem for path in data_path("fixtures/seeds").glob("*.yaml"))


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


def _check(schema: Schema, name: str, data: Any) -> None:
    findings = schema.findings(data, "request", "body") or schema.unknown_fields(data, "request", "body")
    if findings:
        place = parameter_name("body", findings[0].pointer)
        raise UsageError(f"seed {name}: {place + ': ' if place else ''}{findings[0].message}")

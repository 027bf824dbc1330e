"""Seeds, which are starting states for the store, and snapshots, which are seeds too."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from mockserver.context import Tenant
from mockserver.contract import json_text
from mockserver.contract.contract import control_contract
from mockserver.contract.document import DocumentError, data_path
from mockserver.contract.json_text import JsonError
from mockserver.contract.schemas import Schema
from mockserver.errors import UsageError, parameter_name
from mockserver.resources.id_allocator import IdAllocator
from mockserver.resources.plain_json import copy_json
from mockserver.resources.seed_section import InvalidValue, SeedSection
from mockserver.settings import Seed


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
    """A seed that matches its schema; `name` is for error messages, `data` the content."""

    name: str
    data: Mapping[str, Any]

    def section(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Return the records of a section."""
        records: Sequence[Mapping[str, Any]] = self.data.get(name, ())
        return records


class Seeder:
    """Loads seeds into a store and takes snapshots of it, in the format of `spec/schemas/seed.yaml`.

    `sections` are the kinds of records by the field that holds them, in the order in which they are loaded.
    `account_of` returns the account of an API key, and for None the account of data that names no owner.
    """

    def __init__(
        self,
        sections: Mapping[str, SeedSection],
        id_allocator: IdAllocator,
        account_of: Callable[[str | None], str],
    ) -> None:
        self._sections = sections
        self._id_allocator = id_allocator
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
        validated = ValidatedSeed(name, data)
        for section, pointer, record in self._records(validated):
            try:
                section.check(record)
            except InvalidValue as error:
                raise SeedError(name, pointer + error.pointer, error.reason) from error
        return validated

    def check_owner(self, seed: ValidatedSeed, account: str) -> None:
        """Raise SeedError if a record of the seed belongs to another account."""
        for _, pointer, record in self._records(seed):
            if self._tenant(record, account).account != account:
                raise SeedError(seed.name, pointer, "belongs to another account than the API key's")

    def load(self, seed: ValidatedSeed, *, only: str | None = None, default: str | None = None) -> None:
        """Add a whole seed to the store, or nothing of it.

        With `only`, skip the records of other accounts. `default` is the account of records that name no owner.
        SeedError if an id is already in use, or a time is out of range.
        """
        records = [(*each, self._tenant(each[2], default)) for each in self._records(seed)]
        for section, _, record, tenant in records:  # Before the first id is generated.
            self._id_allocator.reserve(tenant.account, section.ids(record))
        loaded: list[tuple[SeedSection, Tenant, str]] = []
        for section, pointer, record, tenant in records:
            if only is not None and tenant.account != only:
                continue
            try:
                loaded.append((section, tenant, section.add(tenant, record)))
            except InvalidValue as error:
                for owner_section, owner, record_id in loaded:
                    owner_section.erase(owner, record_id)
                raise SeedError(seed.name, pointer + error.pointer, error.reason) from error

    def snapshot(self, account: str | None = None) -> dict[str, Any]:
        """Return the contents of the store, of one account or of all, as a seed."""
        return {name: list(section.snapshot(account)) for name, section in self._sections.items()}

    def _records(self, seed: ValidatedSeed) -> Iterator[tuple[SeedSection, str, Mapping[str, Any]]]:
        """Yield each record of a seed with its section and its JSON pointer."""
        for name, section in self._sections.items():
            for index, record in enumerate(seed.section(name)):
                yield section, f"/{name}/{index}", record

    def _tenant(self, data: Mapping[str, Any], default: str | None) -> Tenant:
        account = data.get("account")
        if account is None:
            key = data.get("api_key")
            account = default if key is None and default is not None else self._account_of(key)
        return Tenant(account, data.get("end_user"))


def shipped_seeds() -> list[str]:
    """Return the names of the seeds in this package."""
    return sorted(path.stem for path in data_path("fixtures/seeds").glob("*.yaml"))


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
        from mockserver.contract.yaml_file import read_yaml  # Slow to import, and few fakes have a seed.

        return str(seed), read_yaml(path)
    except DocumentError as error:
        raise UsageError(f"seed {error}") from error
    except OSError as error:
        raise UsageError(f"seed {path}: {error.strerror}") from error
    except JsonError as error:
        raise SeedError(str(seed), error.pointer, error.message) from error

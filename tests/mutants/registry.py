"""All mutants by name."""

from functools import cache
from itertools import chain

import yaml

from mockserver.contract.document import data_path
from tests.mutants.families.auth import AUTH
from tests.mutants.families.contexts import CONTEXT
from tests.mutants.families.errors import ERRORS
from tests.mutants.families.filters import FILTERS
from tests.mutants.families.headers import HEADERS
from tests.mutants.families.isolation import ISOLATION
from tests.mutants.families.paging import PAGING
from tests.mutants.families.responses import RESPONSE
from tests.mutants.families.shape import SHAPE
from tests.mutants.families.state import STATE
from tests.mutants.families.streams import STREAM
from tests.mutants.families.tenancy import TENANCY
from tests.mutants.families.validation import VALIDATION
from tests.mutants.mutant import Mutant

FAMILIES = (
    SHAPE,
    PAGING,
    STATE,
    ISOLATION,
    TENANCY,
    VALIDATION,
    FILTERS,
    ERRORS,
    AUTH,
    HEADERS,
    RESPONSE,
    CONTEXT,
    STREAM,
)

MUTANTS: dict[str, Mutant] = {mutant.name: mutant for mutant in chain.from_iterable(f.mutants for f in FAMILIES)}


@cache
def behaviour_statuses() -> dict[str, str]:
    """Return the status of every behaviour in the catalogue, by id."""
    entries = yaml.safe_load(data_path("spec/behaviours.yaml").read_text())
    return {entry["id"]: entry["status"] for entry in entries}


def is_assumed_only(mutant: Mutant) -> bool:
    """Return whether the mutant breaks assumed behaviours only."""
    return all(behaviour_statuses().get(broken) == "assumed" for broken in mutant.breaks)

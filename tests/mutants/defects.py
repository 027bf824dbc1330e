"""Every defect that can be planted."""

from functools import cache
from itertools import chain

import yaml

from mockserver.contract.document import data_path
from tests.mutants.defect import Defect
from tests.mutants.families.auth import AUTH
from tests.mutants.families.errors import ERRORS
from tests.mutants.families.filters import FILTERS
from tests.mutants.families.headers import HEADERS
from tests.mutants.families.paging import PAGING
from tests.mutants.families.shape import SHAPE
from tests.mutants.families.state import STATE
from tests.mutants.families.tenancy import TENANCY
from tests.mutants.families.validation import VALIDATION

FAMILIES = (SHAPE, PAGING, STATE, TENANCY, VALIDATION, FILTERS, ERRORS, AUTH, HEADERS)

DEFECTS: dict[str, Defect] = {defect.name: defect for defect in chain.from_iterable(f.defects for f in FAMILIES)}


@cache
def rules() -> dict[str, str]:
    """The status of every rule, by its id."""
    entries = yaml.safe_load(data_path("spec/behaviours.yaml").read_text())
    return {entry["id"]: entry["status"] for entry in entries}


def is_assumed_only(defect: Defect) -> bool:
    """Whether all that the defect breaks was decided by the fake and is published nowhere."""
    return all(rules().get(broken) == "assumed" for broken in defect.breaks)

"""Every defect that can be planted."""

from functools import cache
from itertools import chain

import yaml

from mockserver.contract.document import data_path
from tests.planted.defect import Defect
from tests.planted.families.auth import AUTH
from tests.planted.families.errors import ERRORS
from tests.planted.families.filters import FILTERS
from tests.planted.families.headers import HEADERS
from tests.planted.families.paging import PAGING
from tests.planted.families.shape import SHAPE
from tests.planted.families.state import STATE
from tests.planted.families.tenancy import TENANCY
from tests.planted.families.validation import VALIDATION

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

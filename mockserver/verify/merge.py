"""One cause, one finding: deviations of different checks about the same thing become one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from mockserver.conformance.catalogue import Behaviour
from mockserver.verify.behaviours import SUSPECTS
from mockserver.verify.fuzzing.checks import INVALID_DATA
from mockserver.verify.report.model import VERDICTS, Deviation, Kind, Weight, merge_kinds, merge_names, name_kind

_WEIGHTS = tuple(Weight)


def merge_deviations(
    found: Iterable[Deviation],
    catalogue: Sequence[Behaviour],
    by_kind: Mapping[str, Deviation] | None = None,
    server_errors: Mapping[str, str] | None = None,
) -> list[Deviation]:
    """Return the deviations with each cause once, the gravest first.

    `by_kind` has the first occurrence of each kind, for deviations that lose the kind that they showed.
    `server_errors` are the cases for which behaviours failed; they take over these behaviours.

    A behaviour that does not hold takes over the cases that it covers, and the same mistakes that other requests
    showed. What only an assumed behaviour says is learned, not a violation.
    """
    by_case: dict[str, Deviation] = {}
    for deviation in found:
        by_case[deviation.case] = deviation
    behaviours = {behaviour.id: behaviour for behaviour in catalogue}
    for case in [case for case in by_case if case in behaviours]:
        if case in by_case:
            _absorb(case, behaviours[case].covers, by_case, by_kind or {})
    for behaviour, case in (server_errors or {}).items():
        if case in by_case and behaviour in by_case:
            failed = by_case.pop(behaviour)
            by_case[case] = _add(by_case[case], replace(failed, count=0), (behaviour, *failed.includes))
    _merge_server_errors(by_case)
    merged = [_judge(deviation, catalogue) for deviation in by_case.values()]
    return sorted(merged, key=lambda one: (VERDICTS.index(one.verdict), _WEIGHTS.index(one.weight)))


def _merge_server_errors(by_case: dict[str, Deviation]) -> None:
    """Merge the server errors of several operations for the same mistake in a field of the same name."""
    first_by_mistake: dict[str, str] = {}
    failures = [one for one in by_case.values() if one.weight is Weight.FAILURE and one.case.endswith("/500")]
    for deviation in failures:
        mistakes = {kind.rule for kind in deviation.kinds}
        first = next((first_by_mistake[one] for one in sorted(mistakes) if one in first_by_mistake), None)
        if first is not None:
            by_case[first] = _add(by_case[first], deviation, (deviation.case, *deviation.includes))
            del by_case[deviation.case]
        for mistake in mistakes:
            first_by_mistake.setdefault(mistake, first or deviation.case)


def _add(main: Deviation, other: Deviation, includes: tuple[str, ...]) -> Deviation:
    return replace(
        main,
        count=main.count + other.count,
        kinds=merge_kinds(main.kinds, other.kinds),
        operations=merge_names(main.operations, other.operations),
        phases=merge_names(main.phases, other.phases),
        includes=merge_names(main.includes, includes),
        blocks=merge_names(main.blocks, other.blocks),
    )


def _absorb(case: str, covers: Sequence[str], by_case: dict[str, Deviation], by_kind: Mapping[str, Deviation]) -> None:
    rules = {kind.rule for kind in by_case[case].kinds if kind.rule}
    for other in [one for one in by_case.values() if one.case != case]:
        taken: Deviation | None = other
        left: Deviation | None = None
        if not _matches(other.case, covers):
            is_taken = {
                kind: _matches(f"{other.case}: {kind.name}", covers)
                or (other.case == INVALID_DATA and kind.rule in rules)
                for kind in other.kinds
            }
            taken, left = _split(other, [kind for kind in other.kinds if is_taken[kind]], by_kind)
        if taken is None:
            continue
        told = (taken.case,) if left is None else ()
        by_case[case] = _add(by_case[case], taken, (*told, *taken.includes))
        if left is None:
            del by_case[taken.case]
        else:
            by_case[left.case] = left


def _split(
    deviation: Deviation, taken: list[Kind], by_kind: Mapping[str, Deviation]
) -> tuple[Deviation | None, Deviation | None]:
    """Return the part of a deviation with these kinds and the rest; None where nothing is."""
    left = tuple(kind for kind in deviation.kinds if kind not in taken)
    if not taken:
        return None, deviation
    if not left:
        return deviation, None
    number = sum(kind.count for kind in taken)
    rest = replace(deviation, kinds=left, count=deviation.count - number)
    if rest.shown_kind in {kind.name for kind in taken}:
        rest = _show(rest, by_kind)
    # Which operations and phases belong to which kinds is not known.
    return replace(deviation, kinds=tuple(taken), count=number, operations=(), phases=()), rest


def _show(deviation: Deviation, by_kind: Mapping[str, Deviation]) -> Deviation:
    """Return a deviation with the first occurrence of one of its kinds."""
    kinds = {name_kind(deviation.case, kind.name) for kind in deviation.kinds}
    first = next((one for name, one in by_kind.items() if name in kinds), None)
    if first is None:
        return deviation
    return replace(
        deviation,
        shown_kind=first.shown_kind,
        received=first.received,
        expected=first.expected,
        place=first.place,
        origin=first.origin,
        phases=merge_names(first.phases, deviation.phases),
        first_request=first.first_request,
    )


def _judge(deviation: Deviation, catalogue: Sequence[Behaviour]) -> Deviation:
    """Return a violation as learned if only an assumed behaviour says what it breaks."""
    if deviation.verdict != "violates":
        return deviation
    covering = next((one for one in catalogue if _matches(deviation.case, one.covers)), None)
    if covering is None or covering.status != "assumed":
        return deviation
    suspect, reason = SUSPECTS["assumed"]
    return replace(deviation, verdict="learned", suspect=suspect, reason=reason)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)

"""Ask the compiled engine and openapi-core about the same requests and responses: `python -m tests.fuzz.differential`.

They must give the same verdict, and where both say yes, the same decoded values. Where they rightly differ is listed
in `DIFFERENCES`.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from mockserver.contract.document import load_document
from mockserver.contract.engine import CompiledEngine, Engine
from mockserver.contract.operations import Operations
from mockserver.contract.reference import ReferenceEngine
from mockserver.findings import Finding

from .generate import Generator, Request, Response

JSON_INTEGER = re.compile("-?(0|[1-9][0-9]*)")


class Verdict(NamedTuple):
    findings: list[Finding]
    values: dict[str, Any]

    @property
    def is_valid(self) -> bool:
        return not self.findings


class Difference(NamedTuple):
    """A finding that one engine alone may have: `engine` tells which.

    Where that is the compiled one, `due` tells the parameters for which it must have it: the other cannot tell.
    """

    name: str
    why: str
    engine: str
    is_it: Callable[[Finding, Request | Response], bool]
    due: Callable[[Request], Iterable[str]] = lambda request: ()


def _sent(case: Request | Response) -> dict[str, list[str]]:
    """The texts of the query parameters that the document declares."""
    if isinstance(case, Response):
        return {}
    query = case.query.decode("utf-8", "replace")
    declared = {one.name for one in case.operation.parameters if one.location == "query"}
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] in declared]
    return {name: [text for key, text in pairs if key == name] for name, _ in pairs}


def _texts(case: Request | Response, finding: Finding) -> list[str]:
    return _sent(case).get(finding.pointer.removeprefix("/"), [])


def _types(request: Request, name: str) -> frozenset[str]:
    (parameter,) = [one for one in request.operation.parameters if one.name == name and one.location == "query"]
    return parameter.schema.json_types


def _repeated(request: Request) -> Iterator[str]:
    for name, texts in _sent(request).items():
        if len(texts) > 1 and "array" not in _types(request, name):
            yield name


def _not_integers(request: Request) -> Iterator[str]:
    for name, texts in _sent(request).items():
        if "integer" in _types(request, name) and not JSON_INTEGER.fullmatch(texts[0]):
            yield name


def _only_python_reads(text: str) -> bool:
    if JSON_INTEGER.fullmatch(text):
        return False
    try:
        int(text)
    except ValueError:
        return False
    return True


DIFFERENCES = [
    Difference(
        "a parameter given twice",
        "openapi-core takes the first and drops the others without a word; one value has one place (RFC 6570, 3.2.8)",
        "compiled",
        lambda finding, case: finding.message.startswith("must be given once") and isinstance(case, Request),
        _repeated,
    ),
    Difference(
        "an integer that only Python reads",
        "openapi-core reads parameters with int(), which takes '+5', ' 5', '05', '1_0' and digits of any script",
        "compiled",
        lambda finding, case: (
            finding.message.startswith("must be an integer, not '")
            and any(_only_python_reads(text) for text in _texts(case, finding))
        ),
        _not_integers,
    ),
    Difference(
        "a format",
        "openapi-core holds strings to their `format`; in JSON Schema 2020-12 it is a note (validation, 7.2.1)",
        "reference",
        lambda finding, case: finding.message.endswith("is not a 'json-pointer'"),
    ),
    Difference(
        "an empty query parameter",
        "openapi-core refuses `search=`; `form` writes the empty string just so (OpenAPI 3.1, style examples)",
        "reference",
        lambda finding, case: "cannot be empty" in finding.message and "" in _texts(case, finding),
    ),
    Difference(
        "a Content-Type with an empty parameter",
        "openapi-core cannot read `application/json;q`; what follows the media type does not change what the body is",
        "reference",
        lambda finding, case: (
            finding.message.startswith(("cannot be read: not enough values to unpack", "must be application/json"))
            and any(name == b"content-type" and value.endswith(b";q") for name, value in case.headers)
        ),
    ),
]


@dataclass
class Tally:
    """What a run has found."""

    differences: list[Difference]
    verdicts: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    used: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def unused(self) -> list[str]:
        names = [difference.name for difference in self.differences]
        return [name for name in (*names, SPREAD) if not self.used[name]]


SPREAD = "an object spread over the query"
"""openapi-core looks for `metadata=` only and does not read an exploded object (OpenAPI 3.1, style `form`)."""


def verdict(engine: Engine, case: Request | Response) -> Verdict:
    if isinstance(case, Response):
        return Verdict(engine.validate_response(case.operation, case.status, case.headers, case.content), {})
    validator = engine.request_validator(case.operation)
    parameters, findings = validator.validate_parameters(case.path, case.query, case.all_headers)
    values: dict[str, Any] = parameters._asdict()
    if case.operation.body_content:
        sent = case.all_headers(b"content-type")
        media_type = validator.match_media_type(sent[0].decode("latin-1")) if sent else None
        if media_type is None and case.content:
            findings = [
                *findings,
                Finding("request", "header", "/Content-Type", "unexpected_content_type", "must be application/json"),
            ]
        else:
            values["body"], found = validator.validate_body(case.content, media_type or "application/json")
            findings = findings + found
            if not findings:
                unknown = validator.find_unknown_fields(values["body"], media_type or "application/json")
                values["unknown"] = sorted({finding.pointer for finding in unknown})
    return Verdict(findings, values)


def compare(case: Request | Response, compiled: Verdict, reference: Verdict, tally: Tally) -> None:
    """Note in `tally` how the verdicts agree or differ."""
    kind = "request" if isinstance(case, Request) else "response"
    tally.verdicts[case.operation.id, kind, compiled.is_valid] += 1
    if isinstance(case, Request):
        due = {f"/{name}" for difference in tally.differences for name in difference.due(case)}
        told = {finding.pointer for finding in compiled.findings if finding.location == "query"}
        if not due <= told and "" not in told:
            tally.failures.append(f"{_shown(case)}\n  compiled says nothing of {sorted(due - told)}")
    if compiled.is_valid != reference.is_valid:
        verdicts = {"compiled": compiled.findings, "reference": reference.findings}
        excused: set[tuple[str, str]] = set()
        for difference in tally.differences:
            for finding in verdicts[difference.engine]:
                if difference.is_it(finding, case):
                    tally.used[difference.name] += 1
                    excused.add((finding.location, finding.pointer))
        # What is wrong with the same place is excused on both sides: one has not looked further.
        left = {
            name: [finding for finding in findings if (finding.location, finding.pointer) not in excused]
            for name, findings in verdicts.items()
        }
        if bool(left["compiled"]) != bool(left["reference"]):
            tally.failures.append(f"{_shown(case)}\n  compiled:  {left['compiled']}\n  reference: {left['reference']}")
    elif compiled.is_valid:
        ours, theirs = dict(compiled.values), dict(reference.values)
        for spread in [name for name, value in ours.get("query", {}).items() if isinstance(value, dict)]:
            tally.used[SPREAD] += 1
            ours["query"] = {name: value for name, value in ours["query"].items() if name != spread}
        if _exact(ours) != _exact(theirs):
            tally.failures.append(f"{_shown(case)}\n  compiled:  {ours}\n  reference: {theirs}")


def _exact(value: Any) -> str:
    """Tells 1, 1.0 and true apart, as == does not."""
    return json.dumps(value, sort_keys=True)


def _shown(case: Request | Response) -> str:
    return " ".join([case.operation.id, *(repr(part)[:2000] for part in case[1:])])


def run(
    cases: int, seed: int, document: dict[str, Any] | None = None, differences: list[Difference] | None = None
) -> Tally:
    document = document or load_document()
    operations = Operations(document)
    compiled, reference = CompiledEngine(), ReferenceEngine(document)
    tally = Tally(DIFFERENCES if differences is None else differences)
    for case in Generator(operations, seed).cases(cases):
        compare(case, verdict(compiled, case), verdict(reference, case), tally)
    return tally


def _table(tally: Tally) -> Iterator[str]:
    yield f"{'operation':32} {'requests':>9} {'valid':>7} {'responses':>10} {'valid':>7}"
    for operation in sorted({operation for operation, _, _ in tally.verdicts}):
        row = [operation.ljust(32)]
        for kind, width in (("request", 9), ("response", 10)):
            valid, invalid = (tally.verdicts[operation, kind, is_valid] for is_valid in (True, False))
            row += [f"{valid + invalid:>{width},}", f"{valid / (valid + invalid):>7.0%}"]
        yield " ".join(row)
    yield ""
    for name, count in tally.used.most_common():
        yield f"rightly different: {name}: {count:,}"
    for name in tally.unused:
        yield f"never needed: {name}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    tally = run(given.cases, given.seed)
    lines = [*_table(tally), *(f"\nDIFFERENT: {failure}" for failure in tally.failures[:20])]
    seconds = time.monotonic() - began
    lines.append(f"\n{given.cases:,} cases, seed {given.seed}, {len(tally.failures):,} differences, {seconds:.0f} s")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if tally.failures or tally.unused else 0


if __name__ == "__main__":
    sys.exit(main())

"""Compare the compiled engine with openapi-core on generated cases: `python -m tests.fuzz.differential`.

The engines must agree on whether a request or response is valid, and on the values of valid ones. `DIFFERENCES` lists
where they differ for a good reason.
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
    """The findings of one engine, and the values that it has read."""

    findings: list[Finding]
    values: dict[str, Any]

    @property
    def is_valid(self) -> bool:
        return not self.findings


class Difference(NamedTuple):
    """A finding that only the engine named `engine` may have.

    If that is the compiled engine, `required_for` yields the parameters for which it must have the finding, because
    the reference engine cannot check that.
    """

    name: str
    reason: str
    engine: str
    applies: Callable[[Finding, Request | Response], bool]
    required_for: Callable[[Request], Iterable[str]] = lambda request: ()


def _query_texts(case: Request | Response) -> dict[str, list[str]]:
    """Return the texts of the declared query parameters."""
    if isinstance(case, Response):
        return {}
    query = case.query.decode("utf-8", "replace")
    declared = {one.name for one in case.operation.parameters if one.location == "query"}
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] in declared]
    return {name: [text for key, text in pairs if key == name] for name, _ in pairs}


def _texts_at(case: Request | Response, finding: Finding) -> list[str]:
    return _query_texts(case).get(finding.pointer.removeprefix("/"), [])


def _json_types(request: Request, name: str) -> frozenset[str]:
    (parameter,) = [one for one in request.operation.parameters if one.name == name and one.location == "query"]
    return parameter.schema.json_types


def _repeated_parameters(request: Request) -> Iterator[str]:
    for name, texts in _query_texts(request).items():
        if len(texts) > 1 and "array" not in _json_types(request, name):
            yield name


def _invalid_integers(request: Request) -> Iterator[str]:
    for name, texts in _query_texts(request).items():
        if "integer" in _json_types(request, name) and not JSON_INTEGER.fullmatch(texts[0]):
            yield name


def _is_integer_in_python_only(text: str) -> bool:
    if JSON_INTEGER.fullmatch(text):
        return False
    try:
        int(text)
    except ValueError:
        return False
    return True


DIFFERENCES = [
    Difference(
        "a repeated parameter",
        "openapi-core takes the first value and drops the others; one value has one place (RFC 6570, 3.2.8)",
        "compiled",
        lambda finding, case: finding.code == "duplicate_parameter" and isinstance(case, Request),
        _repeated_parameters,
    ),
    Difference(
        "an integer that only Python accepts",
        "openapi-core reads parameters with int(), which accepts '+5', ' 5', '05', '1_0' and digits of any script",
        "compiled",
        lambda finding, case: (
            finding.code == "type" and any(_is_integer_in_python_only(text) for text in _texts_at(case, finding))
        ),
        _invalid_integers,
    ),
    Difference(
        "a format",
        "openapi-core validates `format`; in JSON Schema 2020-12 it is an annotation (validation, 7.2.1)",
        "reference",
        lambda finding, case: finding.code == "format",
    ),
    Difference(
        "an empty query parameter",
        "openapi-core rejects `search=`, which is the empty string in style `form` (OpenAPI 3.1, style examples)",
        "reference",
        lambda finding, case: finding.code == "reference_engine" and "" in _texts_at(case, finding),
    ),
    Difference(
        "a Content-Type with an empty parameter",
        "openapi-core cannot parse `application/json;q`; parameters do not change the media type",
        "reference",
        lambda finding, case: (
            finding.code in ("reference_engine", "unexpected_content_type")
            and any(name == b"content-type" and value.endswith(b";q") for name, value in case.headers)
        ),
    ),
]


@dataclass
class Tally:
    """The results of a run."""

    differences: list[Difference]
    verdicts: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    used: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def unused(self) -> list[str]:
        names = [difference.name for difference in self.differences]
        return [name for name in (*names, SPREAD) if not self.used[name]]


SPREAD = "an object in query parameters of its own"
"""openapi-core does not read exploded objects, only `metadata=` (OpenAPI 3.1, style `form`)."""


def validate(engine: Engine, case: Request | Response) -> Verdict:
    """Return the verdict of an engine."""
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
                unknown = validator.remove_unknown_fields(values["body"], media_type or "application/json")
                values["unknown"] = sorted({finding.pointer for finding in unknown})
    return Verdict(findings, values)


def compare(case: Request | Response, compiled: Verdict, reference: Verdict, tally: Tally) -> None:
    """Record in `tally` whether the verdicts agree."""
    kind = "request" if isinstance(case, Request) else "response"
    tally.verdicts[case.operation.id, kind, compiled.is_valid] += 1
    if isinstance(case, Request):
        required = {f"/{name}" for difference in tally.differences for name in difference.required_for(case)}
        found = {finding.pointer for finding in compiled.findings if finding.location == "query"}
        if not required <= found and "" not in found:
            tally.failures.append(
                f"{_describe(case)}\n  the compiled engine has no finding at {sorted(required - found)}"
            )
    if compiled.is_valid != reference.is_valid:
        verdicts = {"compiled": compiled.findings, "reference": reference.findings}
        excused: set[tuple[str, str]] = set()
        for difference in tally.differences:
            for finding in verdicts[difference.engine]:
                if difference.applies(finding, case):
                    tally.used[difference.name] += 1
                    excused.add((finding.location, finding.pointer))
        # Findings at the same place are excused for both: one engine has stopped there.
        left = {
            name: [finding for finding in findings if (finding.location, finding.pointer) not in excused]
            for name, findings in verdicts.items()
        }
        if bool(left["compiled"]) != bool(left["reference"]):
            tally.failures.append(
                f"{_describe(case)}\n  compiled:  {left['compiled']}\n  reference: {left['reference']}"
            )
    elif compiled.is_valid:
        ours, theirs = dict(compiled.values), dict(reference.values)
        for spread in [name for name, value in ours.get("query", {}).items() if isinstance(value, dict)]:
            tally.used[SPREAD] += 1
            ours["query"] = {name: value for name, value in ours["query"].items() if name != spread}
        if _serialise(ours) != _serialise(theirs):
            tally.failures.append(f"{_describe(case)}\n  compiled:  {ours}\n  reference: {theirs}")


def _serialise(value: Any) -> str:
    """Return JSON text, which tells 1, 1.0 and true apart."""
    return json.dumps(value, sort_keys=True)


def _describe(case: Request | Response) -> str:
    return " ".join([case.operation.id, *(repr(part)[:2000] for part in case[1:])])


def run(cases: int, seed: int) -> Tally:
    """Compare the engines on generated cases."""
    document = load_document()
    operations = Operations(document)
    compiled, reference = CompiledEngine(), ReferenceEngine(document)
    tally = Tally(DIFFERENCES)
    for case in Generator(operations, seed).cases(cases):
        compare(case, validate(compiled, case), validate(reference, case), tally)
    return tally


def _format_table(tally: Tally) -> Iterator[str]:
    yield f"{'operation':32} {'requests':>9} {'valid':>7} {'responses':>10} {'valid':>7}"
    for operation in sorted({operation for operation, _, _ in tally.verdicts}):
        row = [operation.ljust(32)]
        for kind, width in (("request", 9), ("response", 10)):
            valid, invalid = (tally.verdicts[operation, kind, is_valid] for is_valid in (True, False))
            row += [f"{valid + invalid:>{width},}", f"{valid / (valid + invalid):>7.0%}"]
        yield " ".join(row)
    yield ""
    for name, count in tally.used.most_common():
        yield f"excused: {name}: {count:,}"
    for name in tally.unused:
        yield f"unused difference: {name}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    started = time.monotonic()
    tally = run(options.cases, options.seed)
    lines = [*_format_table(tally), *(f"\nDIFFERENCE: {failure}" for failure in tally.failures[:20])]
    seconds = time.monotonic() - started
    lines.append(
        f"\n{options.cases:,} cases, seed {options.seed}, {len(tally.failures):,} differences, {seconds:.0f} s"
    )
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if tally.failures or tally.unused else 0


if __name__ == "__main__":
    sys.exit(main())

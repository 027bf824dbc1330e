"""Find, read, bundle and check an OpenAPI document.

A document may be split over files that refer to each other by `file.yaml#/Name`. Bundling makes it one: path items
are put in place, every other referenced node is hoisted to `#/components/<section>/<Name>`. The section is `schemas`
for a file in a folder of that name, else the file's stem (`parameters`, `responses`, `headers`, ...).
"""

from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar

import orjson
import yaml

from mockserver.findings import escape_token

_LITERALS = frozenset({"const", "default", "enum", "example", "value"})
_MAPS = (
    frozenset(
        {"callbacks", "content", "encoding", "examples", "headers", "links", "mapping", "parameters", "pathItems"}
    )
    | {"paths", "requestBodies", "responses", "scopes", "securitySchemes", "variables", "webhooks"}
    | {"properties", "patternProperties", "$defs", "dependentSchemas", "schemas"}
)

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]
    """Reads what looks like a date as text: JSON knows no dates, and OpenAPI allows in YAML what JSON knows."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
    }


class DocumentError(Exception):
    """The document cannot be used; the message names the place and the reason."""


def data_path(name: str) -> Path:
    """The path of a shipped file such as `spec/openapi.yaml`, in the installed wheel or in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "_data"
    return (installed if installed.is_dir() else package.parent) / name


def read_yaml(path: Path) -> Any:
    """The content of a YAML (or JSON) file.

    Raises:
        DocumentError: there is no such file, or it is not YAML.
    """
    try:
        return yaml.load(path.read_bytes(), _Loader)  # noqa: S506 - the loader is a safe one
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise DocumentError(f"{path}: not YAML: {' '.join(str(error).split())}") from error


def is_literal(key: str, child: Any) -> bool:
    """Whether a keyword's value is data, in which nothing is a keyword or a reference."""
    return key in _LITERALS or key.startswith("x-") or (key == "examples" and isinstance(child, list))


def is_map(key: str, child: Any) -> bool:
    """Whether a keyword's value is an object whose keys are names, not keywords."""
    return key in _MAPS and isinstance(child, dict)


def load_document(path: Path | None = None) -> dict[str, Any]:
    """The API's own document, or the one at `path`, as one mapping whose references all stay inside it.

    Raises:
        DocumentError: the document cannot be read, a reference leads nowhere, or it is not JSON.
    """
    entry = (path or data_path("spec/openapi.yaml")).resolve()
    document = _Bundler(entry).bundle()
    for pointer, value in _not_json(document, ""):
        raise DocumentError(f"{entry}: #{pointer}: is nothing that JSON can say: {value!r}")
    return document


def _not_json(node: Any, at: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, child in node.items():
            if not isinstance(name, str):
                yield at, name
            yield from _not_json(child, f"{at}/{escape_token(name)}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _not_json(child, f"{at}/{index}")
    elif not isinstance(node, str | int | float | None) or (isinstance(node, float) and not isfinite(node)):
        yield at, node


class _Bundler:
    def __init__(self, entry: Path) -> None:
        self._entry = entry
        self._files: dict[Path, Any] = {}
        self._hoisted: dict[tuple[str, str], tuple[Path, str]] = {}
        self._components: dict[str, dict[str, Any]] = {}
        self._paths: dict[tuple[Path, str], Path] = {}

    def bundle(self) -> dict[str, Any]:
        root = self._file(self._entry)
        if not isinstance(root, dict) or not root.keys() & {"openapi", "swagger"}:
            raise DocumentError(f"{self._entry}: not an OpenAPI document: there is no `openapi` field")
        for section, nodes in (root.get("components") or {}).items():
            for name in nodes:
                self._hoisted[section, name] = (self._entry, f"/components/{section}/{name}")
        bundled: dict[str, Any] = self._walk(root, self._entry)
        components = bundled.setdefault("components", {})
        for section, nodes in self._components.items():
            components.setdefault(section, {}).update(sorted(nodes.items()))
        return bundled

    def _file(self, path: Path) -> Any:
        if path not in self._files:
            self._files[path] = read_yaml(path)
        return self._files[path]

    def _walk(self, node: Any, file: Path, *, names: bool = False) -> Any:
        """A copy of `node` with its references rewritten; `names` says that its keys are names, not keywords."""
        if isinstance(node, list):
            return [self._walk(child, file) for child in node]
        if not isinstance(node, dict):
            return node
        if not names and isinstance(node.get("$ref"), str):
            return self._refer(node, file)
        walked = {}
        for key, child in node.items():
            if not names and is_literal(str(key), child):
                walked[key] = child
            elif not names and key == "mapping" and isinstance(child, dict):
                walked[key] = {tag: self._target(ref, file) for tag, ref in child.items()}
            else:
                walked[key] = self._walk(child, file, names=not names and is_map(key, child))
        return walked

    def _refer(self, node: Mapping[str, Any], file: Path) -> dict[str, Any]:
        path, pointer = self._locate(node["$ref"], file)
        if path.parent.name == "paths":
            inlined: dict[str, Any] = self._walk(self._node(path, pointer), path)
            return inlined
        siblings = {key: self._walk(child, file) for key, child in node.items() if key != "$ref"}
        return {"$ref": self._target(node["$ref"], file), **siblings}

    def _target(self, reference: str, file: Path) -> str:
        """The bundled form of a reference, its node hoisted."""
        path, pointer = self._locate(reference, file)
        if path == self._entry and pointer.startswith("/components/"):
            self._node(path, pointer)
            return "#" + pointer
        name = pointer.removeprefix("/")
        if not name or "/" in name:
            raise DocumentError(f"{file}: {reference}: a reference must be `file.yaml#/Name`")
        section = "schemas" if path.parent.name == "schemas" else path.stem
        known = self._hoisted.setdefault((section, name), (path, pointer))
        if known != (path, pointer):
            raise DocumentError(f"{path}: {name}: {known[0]} has {section} of the same name")
        nodes = self._components.setdefault(section, {})
        if name not in nodes:
            nodes[name] = None  # Taken, so that a schema may refer to itself.
            nodes[name] = self._walk(self._node(path, pointer), path)
        return f"#/components/{section}/{name}"

    def _locate(self, reference: str, file: Path) -> tuple[Path, str]:
        location, _, pointer = reference.partition("#")
        if not location:
            return file, pointer
        if (file, location) not in self._paths:  # Asking the file system for each of them takes longer than the rest.
            self._paths[file, location] = (file.parent / location).resolve()
        return self._paths[file, location], pointer

    def _node(self, path: Path, pointer: str) -> Any:
        node = self._file(path)
        for token in pointer.split("/")[1:]:
            if not isinstance(node, dict) or token not in node:
                raise DocumentError(f"{path}: there is no {pointer}")
            node = node[token]
        return node


def dump_json(document: dict[str, Any]) -> bytes:
    """Return the document as indented JSON."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def dump_yaml(document: dict[str, Any]) -> bytes:
    """Return the document as YAML."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text.encode()


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """A dumper without anchors: some tools do not expect them."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a node that occurs twice in full, both times."""
        return True

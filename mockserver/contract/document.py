"""Find, read and bundle an OpenAPI document.

A document may be split over files that refer to each other by `file.yaml#/Name`. Bundling makes one document of them:
path items are copied to their place, every other referenced node is moved to `#/components/<section>/<Name>`. The
section is `schemas` for a file in a folder of that name, else the file's stem (`parameters`, `responses`, ...).
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

_MAX_DEPTH = 1000
_MAX_DIGITS = 1000
_OPENING = (b"[", b"{", b"- ", b"? ")

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]
    """A YAML loader that reads dates as text, because JSON has none."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: _read_integer(loader, node))


class DocumentError(Exception):
    """A document that cannot be used; the message names the place and the reason."""


def data_path(name: str) -> Path:
    """Return the path of a shipped file such as `spec/openapi.yaml`, in the installed wheel or in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "_data"
    return (installed if installed.is_dir() else package.parent) / name


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML or JSON file.

    Raises:
        DocumentError: the file cannot be read, is not YAML, or is nested too deeply.
    """
    try:
        text = path.read_bytes()
        if sum(map(text.count, _OPENING)) > _MAX_DEPTH:
            _check_depth(text)
        return yaml.load(text, _Loader)  # noqa: S506 - the loader is a safe one
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise DocumentError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from error
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path}: has a value that cannot be read: {error}") from error


def _check_depth(text: bytes) -> None:
    """Check the depth of a YAML text: the parser in C would end the process."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise yaml.YAMLError(f"is nested deeper than {_MAX_DEPTH} levels (line {line})")


def _read_integer(loader: Any, node: Any) -> Any:
    if len(node.value) > _MAX_DIGITS:
        raise yaml.MarkedYAMLError(None, None, f"has an integer of {len(node.value):,} digits", node.start_mark)
    return loader.construct_yaml_int(node)


def is_literal(key: str, child: Any) -> bool:
    """Whether a keyword's value is data, in which nothing is a keyword or a reference."""
    return key in _LITERALS or key.startswith("x-") or (key == "examples" and isinstance(child, list))


def is_map(key: str, child: Any) -> bool:
    """Whether a keyword's value is an object whose keys are names, not keywords."""
    return key in _MAPS and isinstance(child, dict)


def load_document(path: Path | None = None) -> dict[str, Any]:
    """Return the document at `path`, by default the API's own, bundled: all references stay inside it.

    Raises:
        DocumentError: the document cannot be read or represented in JSON, or a reference leads nowhere.
    """
    entry = (path or data_path("spec/openapi.yaml")).resolve()
    document = _Bundler(entry).bundle()
    for pointer, value in _find_non_json(document, ""):
        raise DocumentError(f"{entry}: #{pointer}: cannot be represented in JSON: {value!r}")
    return document


def _find_non_json(node: Any, at: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, child in node.items():
            if not isinstance(name, str):
                yield at, name
            yield from _find_non_json(child, f"{at}/{escape_token(name)}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _find_non_json(child, f"{at}/{index}")
    elif not isinstance(node, str | int | float | None) or (isinstance(node, float) and not isfinite(node)):
        yield at, node


class _Bundler:
    """Makes one document of an entry file and the files that it refers to."""

    def __init__(self, entry: Path) -> None:
        self._entry = entry
        self._files: dict[Path, Any] = {}
        self._hoisted: dict[tuple[str, str], tuple[Path, str]] = {}
        self._components: dict[str, dict[str, Any]] = {}
        self._paths: dict[tuple[Path, str], Path] = {}

    def bundle(self) -> dict[str, Any]:
        root = self._read(self._entry)
        if not isinstance(root, dict) or "openapi" not in root:
            raise DocumentError(f"{self._entry}: is not an OpenAPI document: the field 'openapi' is missing")
        for section, nodes in (root.get("components") or {}).items():
            for name in nodes:
                self._hoisted[section, name] = (self._entry, f"/components/{section}/{name}")
        bundled: dict[str, Any] = self._rewrite(root, self._entry)
        components = bundled.setdefault("components", {})
        for section, nodes in self._components.items():
            components.setdefault(section, {}).update(sorted(nodes.items()))
        return bundled

    def _read(self, path: Path) -> Any:
        if path not in self._files:
            self._files[path] = read_yaml(path)
        return self._files[path]

    def _rewrite(self, node: Any, file: Path, *, names: bool = False) -> Any:
        """Return a copy of `node` with rewritten references; `names` says that its keys are names, not keywords."""
        if isinstance(node, list):
            return [self._rewrite(child, file) for child in node]
        if not isinstance(node, dict):
            return node
        if not names and isinstance(node.get("$ref"), str):
            return self._rewrite_reference(node, file)
        walked = {}
        for key, child in node.items():
            if not names and is_literal(str(key), child):
                walked[key] = child
            elif not names and key == "mapping" and isinstance(child, dict):
                walked[key] = {tag: self._hoist(ref, file) for tag, ref in child.items()}
            else:
                walked[key] = self._rewrite(child, file, names=not names and is_map(key, child))
        return walked

    def _rewrite_reference(self, node: Mapping[str, Any], file: Path) -> dict[str, Any]:
        path, pointer = self._locate(node["$ref"], file)
        if path.parent.name == "paths":
            inlined: dict[str, Any] = self._rewrite(self._node(path, pointer), path)
            return inlined
        siblings = {key: self._rewrite(child, file) for key, child in node.items() if key != "$ref"}
        return {"$ref": self._hoist(node["$ref"], file), **siblings}

    def _hoist(self, reference: str, file: Path) -> str:
        """Return the bundled form of a reference, and move the node that it refers to."""
        path, pointer = self._locate(reference, file)
        if path == self._entry and pointer.startswith("/components/"):
            self._node(path, pointer)
            return "#" + pointer
        name = pointer.removeprefix("/")
        if not name or "/" in name:
            raise DocumentError(f"{file}: {reference}: must have the form `file.yaml#/Name`")
        section = "schemas" if path.parent.name == "schemas" else path.stem
        known = self._hoisted.setdefault((section, name), (path, pointer))
        if known != (path, pointer):
            raise DocumentError(f"{path}: {name}: {known[0]} has one of the same name in {section}")
        nodes = self._components.setdefault(section, {})
        if name not in nodes:
            nodes[name] = None  # Reserved, because a schema may refer to itself.
            nodes[name] = self._rewrite(self._node(path, pointer), path)
        return f"#/components/{section}/{name}"

    def _locate(self, reference: str, file: Path) -> tuple[Path, str]:
        location, _, pointer = reference.partition("#")
        if not location:
            return file, pointer
        if (file, location) not in self._paths:  # Resolving every path takes longer than all the rest.
            self._paths[file, location] = (file.parent / location).resolve()
        return self._paths[file, location], pointer

    def _node(self, path: Path, pointer: str) -> Any:
        node = self._read(path)
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

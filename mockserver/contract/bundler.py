"""Bundle an OpenAPI document.

A document may be split over files that refer to each other by `file.yaml#/Name`. Bundling makes one document of them:
path items are copied to their place, every other referenced node is moved to `#/components/<section>/<Name>`. The
section is `schemas` for a file in a folder of that name, else the file's stem (`parameters`, `responses`, ...).
"""

from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from mockserver.contract.document import DocumentError, is_literal, is_map
from mockserver.contract.yaml_file import read_yaml
from mockserver.findings import escape_token


def bundle(entry: Path) -> dict[str, Any]:
    """Return the document whose entry file is `entry`: all references stay inside it.

    Raises:
        DocumentError: the document cannot be read or represented in JSON, or a reference leads nowhere.
    """
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

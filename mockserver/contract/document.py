"""Find, read, bundle and check an OpenAPI document.

A document may be split over files that refer to each other by `file.yaml#/Name`. Bundling makes it one: path items
are put in place, every other referenced node is hoisted to `#/components/<section>/<Name>`. The section is `schemas`
for a file in a folder of that name, else the file's stem (`parameters`, `responses`, `headers`, ...).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml

_LITERAL_KEYWORDS = frozenset({"const", "default", "enum", "example", "value"})
_NAMED_MAPS = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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


def load_document(path: Path | None = None) -> dict[str, Any]:
    """The API's own document, or the one at `path`, as one mapping whose references all stay inside it.

    Raises:
        DocumentError: the document cannot be read, a reference leads nowhere, or it is not JSON.
    """
    entry = (path or data_path("spec/openapi.yaml")).resolve()
    document = _Bundler(entry).bundle()
    try:
        orjson.dumps(document, option=orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError as error:
        raise DocumentError(f"{entry}: holds something that JSON cannot say: {error}") from error
    return document


class _Bundler:
    def __init__(self, entry: Path) -> None:
        self._entry = entry
        self._files: dict[Path, Any] = {}
        self._hoisted: dict[tuple[str, str], tuple[Path, str]] = {}
        self._components: dict[str, dict[str, Any]] = {}

    def bundle(self) -> dict[str, Any]:
        root = self._file(self._entry)
        if not isinstance(root, dict) or "openapi" not in root:
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
            if not names and (key in _LITERAL_KEYWORDS or (key == "examples" and isinstance(child, list))):
                walked[key] = child
            elif not names and key == "mapping" and isinstance(child, dict):
                walked[key] = {tag: self._target(ref, file) for tag, ref in child.items()}
            else:
                walked[key] = self._walk(child, file, names=not names and key in _NAMED_MAPS)
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
        return ((file.parent / location).resolve() if location else file), pointer

    def _node(self, path: Path, pointer: str) -> Any:
        node = self._file(path)
        for token in pointer.split("/")[1:]:
            if not isinstance(node, dict) or token not in node:
                raise DocumentError(f"{path}: there is no {pointer}")
            node = node[token]
        return node

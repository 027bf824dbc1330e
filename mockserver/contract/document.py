"""Find and load the shipped OpenAPI documents.

Reading YAML would take half of the time in which the fake starts. The shipped documents are therefore cached as JSON,
in `spec/build`; a wheel contains the cache.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

_LITERALS = frozenset({"const", "default", "enum", "example", "value"})
_MAPS = (
    frozenset(
        {"callbacks", "content", "encoding", "examples", "headers", "links", "mapping", "parameters", "pathItems"}
    )
    | {"paths", "requestBodies", "responses", "scopes", "securitySchemes", "variables", "webhooks"}
    | {"properties", "patternProperties", "$defs", "dependentSchemas", "schemas"}
)


class DocumentError(Exception):
    """A document that cannot be used; the message names the place and the reason."""


def data_path(name: str) -> Path:
    """Return the path of a shipped file such as `spec/openapi.yaml`, in the installed wheel or in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "_data"
    return (installed if installed.is_dir() else package.parent) / name


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
    document: dict[str, Any] = _load((path or data_path("spec/openapi.yaml")).resolve(), _bundle)
    return document


def read_shipped_yaml(name: str) -> Any:
    """Return the content of a shipped file such as `spec/streams.yaml`."""
    return _load(data_path(name).resolve(), _read)


def _bundle(entry: Path) -> dict[str, Any]:
    from mockserver.contract.bundler import bundle  # Not needed for a cached document.

    return bundle(entry)


def _read(path: Path) -> Any:
    from mockserver.contract.yaml_file import read_yaml  # Not needed for a cached file.

    return read_yaml(path)


def _load(path: Path, read: Callable[[Path], Any]) -> Any:
    """Return what `read` returns for a file; in the folder `spec`, from the cache if no file there has changed."""
    folder = path.parent
    if folder != data_path("spec").resolve():
        return read(path)
    cache = folder / "build" / f"{path.stem}.json"
    digest = _folder_digest(folder)
    with suppress(OSError):  # There is no cache yet.
        content = cache.read_bytes()
        if content.startswith(digest):
            return orjson.loads(content[len(digest) :])
    value = read(path)
    with suppress(OSError):  # The folder is read-only: the next start takes as long as this one.
        cache.parent.mkdir(exist_ok=True)
        unfinished = cache.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(digest + orjson.dumps(value))
        unfinished.replace(cache)
    return value


def _folder_digest(folder: Path) -> bytes:
    """Return a digest of all YAML files in a folder, as a line of text."""
    digest = blake2b(digest_size=16)
    for file in sorted(folder.rglob("*.yaml")):
        digest.update(file.read_bytes())
    return digest.hexdigest().encode() + b"\n"


def dump_json(document: dict[str, Any]) -> bytes:
    """Return the document as indented JSON."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

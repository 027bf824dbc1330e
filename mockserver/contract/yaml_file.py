"""Read and write YAML."""

from pathlib import Path
from typing import Any, ClassVar

import yaml

from mockserver.contract.document import DocumentError

_MAX_DEPTH = 1000
_MAX_DIGITS = 1000
_OPENING = (b"[", b"{", b"- ", b"? ")

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]
    """A YAML loader that reads dates as text, because JSON has none, and rejects duplicate names."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self._checked: set[int] = set()

    def flatten_mapping(self, node: Any) -> None:
        """Check the names of a mapping before those of others are merged into it (`<<`)."""
        if id(node) not in self._checked:
            self._checked.add(id(node))
            _check_names(node)
        super().flatten_mapping(node)


_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: _read_integer(loader, node))


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


def _check_names(node: Any) -> None:
    names: set[tuple[str, str]] = set()
    for key, _ in node.value:
        name = key.tag, key.value
        if isinstance(key, yaml.ScalarNode):
            if name in names:
                raise yaml.MarkedYAMLError(None, None, f"{key.value!r} is a duplicate name", key.start_mark)
            names.add(name)


def _read_integer(loader: Any, node: Any) -> Any:
    if len(node.value) > _MAX_DIGITS:
        raise yaml.MarkedYAMLError(None, None, f"has an integer of {len(node.value):,} digits", node.start_mark)
    return loader.construct_yaml_int(node)


def dump_yaml(document: dict[str, Any]) -> bytes:
    """Return the document as YAML."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text.encode()


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """A dumper without anchors: some tools do not expect them."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a node that occurs twice in full, both times."""
        return True

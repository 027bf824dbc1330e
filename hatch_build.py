"""A build hook that puts the documents into the wheel as JSON, because they load faster than as YAML."""

import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CacheDocuments(BuildHookInterface):  # type: ignore[type-arg]
    """Writes the JSON form of the shipped documents before a build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Load each document once, which caches it."""
        sys.path.insert(0, self.root)
        from mockserver.contract.document import data_path, load_document, read_shipped_yaml

        load_document()
        load_document(data_path("spec/control.yaml"))
        read_shipped_yaml("spec/streams.yaml")

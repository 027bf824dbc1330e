"""Environment variables that lead applications to a fake while it runs."""

import os
from collections.abc import Mapping

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


class Environment:
    """Layers of environment variables; a variable has the value of the newest layer that sets it.

    Layers may be removed in any order. A variable without a layer has the value that it had before the first one.
    """

    def __init__(self) -> None:
        self._layers: list[Mapping[str, str]] = []
        self._before: dict[str, str | None] = {}

    def add(self, variables: Mapping[str, str]) -> None:
        """Set variables until the layer is removed."""
        for name in variables:
            if not any(name in layer for layer in self._layers):
                self._before[name] = os.environ.get(name)
        self._layers.append(variables)
        os.environ.update(variables)

    def remove(self, variables: Mapping[str, str]) -> None:
        """Remove a layer."""
        self._layers = [layer for layer in self._layers if layer is not variables]
        self._restore(variables)

    def repair(self, removed: Mapping[str, str]) -> None:
        """Remove a layer again, if something that restores older values has brought it back."""
        if any(os.environ.get(name) == value != self._value(name) for name, value in removed.items()):
            self._restore(removed)

    def _restore(self, variables: Mapping[str, str]) -> None:
        for name in variables:
            value = self._value(name)
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def _value(self, name: str) -> str | None:
        return next((layer[name] for layer in reversed(self._layers) if name in layer), self._before[name])


def bypass_proxies() -> dict[str, str]:
    """Return the variables that keep requests to this machine away from proxies."""
    variables = {}
    for name in ("NO_PROXY", "no_proxy"):  # Where both are set, some clients read only the one, some the other.
        hosts = [host.strip() for host in os.environ.get(name, "").split(",") if host.strip()]
        missing = [] if "*" in hosts else [host for host in LOOPBACK_HOSTS if host not in hosts]
        variables[name] = ",".join([*hosts, *missing])
    return variables

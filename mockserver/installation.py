"""Advice on how to install what an optional part of the package needs."""

_DISTRIBUTION = "mka1-mockserver"


def install_command(extra: str) -> str:
    """Return a command that installs the packages of an extra.

    It names these packages and not the extra, because it cannot know where this package was installed from.
    """
    from importlib.metadata import requires  # Slow to import, and needed only for this advice.

    requirements = [line.partition(";") for line in requires(_DISTRIBUTION) or ()]
    packages = [package.strip() for package, _, marker in requirements if f'"{extra}"' in marker.replace("'", '"')]
    return f"pip install {' '.join(map(repr, packages))}"

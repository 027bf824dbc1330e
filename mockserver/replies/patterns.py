"""Regular expressions in the syntax of JSON Schema.

The engine is the one that validates `pattern` in the document. It takes a bounded number of steps. A pattern of
Python's `re` can take hours for a short text.
"""

from collections.abc import Callable

from jsonschema_rs import Draft202012Validator


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Return a function that searches a text for a pattern.

    Raises:
        ValidationError: it is not a pattern.
    """
    return Draft202012Validator({"pattern": pattern}).is_valid

"""Entry point for Schemathesis' own command, which loads this file because schemathesis.toml names it.

The keys come from the environment. Without a second key, both users have the first.
"""

import os
from uuid import uuid4

from mockserver.curl import KEY_PLACEHOLDER, SECOND_KEY_PLACEHOLDER
from mockserver.verify.fuzzing.extension import KnownIds, register

_KEY = os.environ.get("MKA1_API_KEY", "")

_KEYS = {KEY_PLACEHOLDER: _KEY, SECOND_KEY_PLACEHOLDER: os.environ.get("MKA1_SECOND_API_KEY") or _KEY}

register(KnownIds(_KEYS, uuid4().hex, {}))

"""Records of items, as they are made of what came over the wire."""

import orjson

from mockserver import create_app
from mockserver.context import Tenant
from mockserver.resources import items


def test_what_is_kept_is_not_the_buffer_it_was_written_in(monkeypatch):
    written = []

    class Recorded:
        @staticmethod
        def dumps(value):
            written.append(orjson.dumps(value))
            return written[-1]

    monkeypatch.setattr(items, "orjson", Recorded)
    (item,) = create_app().state.maker.make(Tenant("acme"), [{"type": "message", "role": "user", "content": "hi"}])
    assert item.data == written[0]
    assert item.data is not written[0]

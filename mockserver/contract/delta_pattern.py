"""Deltas, which are most of a stream, without parsing each of them.

Frames of deltas of one text differ in their number and in the delta only. If one of them is legal, so is the next one
that has the next number and any JSON string as its delta.
"""

from typing import Any, Self

import orjson

_NUMBER = b'"sequence_number":'
_DELTA = b',"delta":'
_END = b"}\n\n"
_DATA = b"data: "


class DeltaPattern:
    """The frame of a delta, with gaps for its number and for the delta, which is its last field.

    `deltas` has the deltas of the frames that were accepted. Each takes a few dozen instructions, because most of the
    time that a stream takes goes into them.
    """

    __slots__ = ("_data_start", "_head", "_number", "deltas")

    def __init__(self, before_number: bytes, before_delta: bytes, data_start: int, number: int) -> None:
        self.deltas: list[str] = []
        self._head = before_number.replace(b"%", b"%%") + b"%d" + before_delta.replace(b"%", b"%%")
        self._data_start = data_start
        self._number = number

    @classmethod
    def of(cls, frame: bytes, event: dict[str, Any]) -> Self | None:
        """Return the pattern of a frame, or None if it has another form."""
        head, found, tail = frame.rpartition(_DELTA)
        number = event["sequence_number"]
        before, *after = head.split(_NUMBER + b"%d," % number)
        is_last = found and tail.endswith(_END) and _read_string(tail[: -len(_END)]) == event["delta"]
        if not is_last or len(after) != 1 or frame.count(b"\n") != 3:
            return None
        return cls(before + _NUMBER, b"," + after[0] + found, frame.index(_DATA) + len(_DATA), number + 1)

    def accept(self, frame: bytes) -> bytes | None:
        """Return the data of a frame of this pattern with the next number, else None."""
        head: bytes = self._head % self._number
        if not frame.startswith(head) or not frame.endswith(_END):
            return None
        delta = _read_string(frame[len(head) : -3])
        if delta is None:
            return None
        self.deltas.append(delta)
        self._number += 1
        return frame[self._data_start : -2]


def _read_string(text: bytes) -> str | None:
    """Return the string that a JSON text is, without white space around it, else None."""
    if text[:1] != b'"' or text[-1:] != b'"':
        return None
    try:
        string: str = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return string

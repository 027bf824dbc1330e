"""The words of a text, in the form in which a search compares them.

* A word is a run of letters, marks and digits. All other characters separate words, `_` and `'` included, except
  for invisible ones such as the soft hyphen, which are dropped.
* Words are compared after NFKC normalisation and case folding. NFKC rather than NFC, because people type full-width
  and half-width forms of a letter without seeing a difference. Accents are significant.
* A run of a script that is written without spaces (Han, kana, Thai, Lao, Khmer, Myanmar) is one word, also next to
  letters of other scripts.
"""

import re
from unicodedata import category, normalize

# Ranges of code points. Characters in them that are no letter, mark or digit have become spaces before.
_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3021-\u302d\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\u3040-\u30ff\u31f0-\u31ff\U0001aff0-\U0001b16f"  # Hiragana, Katakana
)
_ASCII_WORD = re.compile("[a-z0-9]+")
# Normalisation sorts the marks on a letter, in quadratic time. No letter has so many, and between words one space more
# makes no difference.
_MANY_MARKS = re.compile(r"[\W\uff9e\uff9f]{30}")


class WordSplitter:
    """Splits texts into words. Create it when it is needed: its patterns take milliseconds to compile."""

    def __init__(self) -> None:
        self._characters = _CharacterMap()
        self._word = re.compile(f"[{_UNSPACED}]+|[^ {_UNSPACED}]+")
        self._unspaced = re.compile(f"[{_UNSPACED}]")

    def split(self, text: str) -> list[str]:
        """Return the words of a text, in order."""
        if text.isascii():
            return _ASCII_WORD.findall(text.lower())
        # Case folding can undo the normal form, so normalise twice.
        folded = normalize("NFKC", normalize("NFKC", _MANY_MARKS.sub(r"\g<0> ", text)).casefold())
        return self._word.findall(folded.translate(self._characters))

    def is_unspaced(self, character: str) -> bool:
        """Return whether the character belongs to a script that is written without spaces."""
        return not character.isascii() and self._unspaced.match(character) is not None


class _CharacterMap(dict[int, str | int | None]):
    """A table for `str.translate` that fills itself: letters, marks and digits stay, the rest becomes spaces."""

    def __missing__(self, code: int) -> str | int | None:
        kind = category(chr(code))
        replacement: str | int | None = " "
        if kind == "Cf" or 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
            # Invisible; the zero width space may stand anywhere in Thai or Khmer.
            replacement = None
        elif kind[0] in "LMN":
            replacement = code
        self[code] = replacement
        return replacement

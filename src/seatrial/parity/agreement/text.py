"""Text that is the same but for its form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from unicodedata import normalize

from seatrial.errors import PolicyError, unknown
from seatrial.parity.agreement.base import Source, compare_by_rule
from seatrial.parity.cells import Cells, Rule
from seatrial.parity.columns import Column
from seatrial.parity.tolerance import check_share

FORMS: dict[str, Callable[[str], str]] = {
    "NFC": lambda text: normalize("NFC", text),
    "NFD": lambda text: normalize("NFD", text),
    "NFKC": lambda text: normalize("NFKC", text),
    "NFKD": lambda text: normalize("NFKD", text),
    "casefold": str.casefold,
    "strip": str.strip,
    "spaces": lambda text: " ".join(text.split()),
}


@dataclass(frozen=True)
class Text:
    """Text is the same when it is equal after the given forms, applied in the order of their words.

    | word | what no longer matters |
    |---|---|
    | ``NFC``, ``NFD`` | how an accent is composed |
    | ``NFKC``, ``NFKD`` | that, and ligatures, full-width letters, superscripts |
    | ``casefold`` | case, ß against ss |
    | ``strip`` | white space at both ends |
    | ``spaces`` | white space at both ends, and how much and which between words |

    Holds for all text in a cell, in lists and dicts too; numbers beside it have the default tolerance.

    Args:
        forms: words, separated by spaces.
        share: the part of the rows (0 to 1) that may differ.

    Raises:
        PolicyError: no word, or one that is not known.

    Example:
        >>> Text("NFKC casefold").normalised("ﬁle Straße")
        'file strasse'
    """

    forms: str
    share: float = 0.0

    def __post_init__(self) -> None:
        words = self.forms.split() if isinstance(self.forms, str) else []
        if not words:
            raise PolicyError(f"Text({self.forms!r}): name one form or more. Known: {', '.join(FORMS)}.")
        for word in words:
            if word not in FORMS:
                raise PolicyError(f"Text({self.forms!r}): {unknown('Form', word, FORMS)}")
        check_share(self.share)

    def normalised(self, text: str) -> str:
        """Return text in the given forms."""
        for word in self.forms.split():
            text = FORMS[word](text)
        return text

    def rule(self, noise: float = 0.0) -> Rule:
        """Return what holds of one cell."""
        return Rule(noise=noise, text=self.normalised)

    def refusal(self, column: Column) -> str:
        """Return why it cannot apply to a column of the reference; the empty string where it can."""
        holds = ("string", "dict", "mixed", "null", "set", "str")
        return (
            "" if any(name in column.logical for name in holds) else "Text applies to text, and to cells that hold text"
        )

    def compare(self, expected: Column, actual: Column, noise: float, source: Source) -> Cells:
        """Return where two aligned columns differ."""
        return compare_by_rule(expected, actual, self.rule(noise), source)

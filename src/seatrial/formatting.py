"""Numbers, addresses and names as people read them: the one format of every message, report and table."""

from __future__ import annotations

import math
import re
from hashlib import sha256
from numbers import Integral, Real

SLUG_LENGTH = 80
_USER = re.compile(r"//[^/@]*@")
_QUERY = re.compile(r"(://[^\s?'\"<>]+)\?[^\s'\"<>]*")  # a presigned address has its signature there


def number(value: Real | float) -> str:
    """Return a number with a comma between thousands; a flag is ``yes`` or ``no``.

    A number with a fraction keeps six significant digits, and every digit before its point below 1e15.

    Example:
        >>> number(12000), number(0.0417), number(1234567.8), number(True)
        ('12,000', '0.0417', '1,234,568', 'yes')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    real = float(value)
    if not math.isfinite(real):
        return str(real)
    return f"{real:,.0f}" if 1e6 <= abs(real) < 1e15 else f"{real:,.6g}"


def share(value: float) -> str:
    """Return a share between 0 and 1 in percent, with at most two decimals.

    A share just above 0 or just below 1 is never rounded to 0 % or 100 %.

    Example:
        >>> share(0.024), share(1.0), share(0.99999), share(0.0000001)
        ('2.4 %', '100 %', '> 99.99 %', '< 0.01 %')
    """
    if not math.isfinite(value):
        return str(value)
    percent = 100 * value
    if 0 < percent < 0.01:
        return "< 0.01 %"
    if 99.99 < percent < 100:
        return "> 99.99 %"
    return f"{percent:.2f}".rstrip("0").rstrip(".") + " %"


def part_of(part: int, whole: int, what: str = "rows") -> str:
    """Return a count out of a whole, with its share; ``what`` names the things counted, in the plural.

    Example:
        >>> part_of(12, 500), part_of(3, 5000, "reference rows"), part_of(0, 0)
        ('12 of 500 rows (2.4 %)', '3 of 5,000 reference rows (0.06 %)', '0 of 0 rows (0 %)')
    """
    return f"{part:,} of {whole:,} {what} ({share(part / whole if whole else 0.0)})"


def seconds(value: float) -> str:
    """Return a duration, given in seconds, in the unit that suits its size.

    Example:
        >>> seconds(0.412), seconds(12.4), seconds(200), seconds(0.0002)
        ('412 ms', '12.4 s', '3 min 20 s', '< 1 ms')
    """
    if not math.isfinite(value):
        return str(value)
    if value < 0.001:
        return "< 1 ms"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 119.5:
        return f"{value:.1f} s"
    return f"{int(value + 0.5) // 60} min {int(value + 0.5) % 60} s"


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun; ``many`` is the plural where adding an *s* does not make it.

    Example:
        >>> plural(1, "finding"), plural(12000, "comparison"), plural(2, "entry", "entries")
        ('1 finding', '12,000 comparisons', '2 entries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def without_user(text: str) -> str:
    """Return an address, or a text with addresses, without what may be secret in them: user, password and query.

    Example:
        >>> without_user("https://ann:secret@mlflow.example/api?token=t-4471")
        'https://mlflow.example/api'
    """
    return _QUERY.sub(r"\1", _USER.sub("//", text))


def slug(text: str) -> str:
    """Return ``text`` in lowercase letters, digits and dashes, with a digest wherever that changed the text.

    Example:
        >>> slug("shop"), slug("Shop 1")
        ('shop', 'shop-1-d4a69134')
    """
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if plain == text and len(plain) <= SLUG_LENGTH:
        return plain
    return f"{plain[:SLUG_LENGTH]}-{sha256(text.encode()).hexdigest()[:8]}".lstrip("-")

"""What ratios and straight lines between two numbers are known for."""

from __future__ import annotations

import math

# Both directions of each are tried.
FACTORS = {
    10.0: "a power of ten",
    100.0: "per cent, or cents",
    1e3: "thousandths, such as ms for s or g for kg",
    1e4: "basis points",
    1e6: "millionths, such as µs for s",
    1e9: "ns for s",
    60.0: "minutes and seconds, or hours and minutes",
    3600.0: "hours and seconds",
    86400.0: "days and seconds",
    24.0: "days and hours",
    7.0: "weeks and days",
    12.0: "years and months",
    365.25: "years and days",
    365.0: "years and days",
    1024.0: "binary prefixes",
    1048576.0: "binary prefixes",
    255.0: "a scale of 0 to 255 and one of 0 to 1",
    3.6: "m/s and km/h",
    1.609344: "miles and kilometres",
    0.3048: "feet and metres",
    2.54: "inches and centimetres",
    2.2046226218: "kilograms and pounds",
    57.29577951308232: "radians and degrees",
}

LOG_BASES = {
    1 / math.log(10): "log10 in place of log",
    math.log(10): "log in place of log10",
    1 / math.log(2): "log2 in place of log",
    math.log(2): "log in place of log2",
    math.log2(10): "log2 in place of log10",
    math.log10(2): "log10 in place of log2",
}

# (slope, offset): actual = slope × expected + offset
LINES = {
    (1.8, 32.0): "°F in place of °C",
    (1 / 1.8, -32 / 1.8): "°C in place of °F",
    (1.8, -459.67): "°F in place of K",
    (1 / 1.8, 459.67 / 1.8): "K in place of °F",
    (1.0, 273.15): "K in place of °C",
    (1.0, -273.15): "°C in place of K",
    (2.0, -1.0): "a scale of -1 to 1 in place of 0 to 1",
    (0.5, 0.5): "a scale of 0 to 1 in place of -1 to 1",
}


NEAR = 5e-5  # people write 1.6093 for 1.609344


def known_factor(ratio: float, precision: float) -> tuple[float, str, str] | None:
    """Return the factor, how it is written and what it is known for; None for a ratio without a name."""
    for factor, meaning in FACTORS.items():
        for exact, written in ((factor, f"× {factor:,.10g}"), (1 / factor, f"÷ {factor:,.10g}")):
            if abs(ratio - exact) <= max(10 * precision, 1e-9) * exact:
                return exact, written, meaning
    for factor, meaning in FACTORS.items():
        if abs(ratio - factor) <= NEAR * factor or abs(1 / ratio - factor) <= NEAR * factor:
            near = f"× {ratio:,.10g}" if ratio > 1 else f"÷ {1 / ratio:,.10g}"
            return ratio, near, f"nearly that of {meaning}"
    return None


def known_base(ratio: float, precision: float) -> tuple[float, str] | None:
    """Return the factor between two bases of logarithms, and which; None for another ratio."""
    return next(((f, words) for f, words in LOG_BASES.items() if abs(ratio - f) <= max(10 * precision, 1e-9) * f), None)

"""The difference of two files as one HTML page: self-contained, without scripts, in the style of the report."""

from __future__ import annotations

import base64
import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from seatrial.formatting import number, plural, share
from seatrial.sinks.difference.result import Difference, cause, largest
from seatrial.sinks.text import neutral

SHOWN = 500  # columns
_HEADLINES = {"same": "Same", "different": "Different", "not compared": "Not compared"}
_BODIES = {"same": "pass", "different": "fail", "not compared": "inconclusive"}


def render(difference: Difference) -> str:
    """Return the page. The same difference always gives the same page."""
    here = Path(__file__).parent
    style = (here.parent / "page" / "report.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_neutral,
    )  # fmt: skip
    environment.filters |= {
        "number": number, "plural": plural, "share": share, "short": neutral, "cause": cause, "largest": largest,
    }  # fmt: skip
    return environment.get_template("difference.html.j2").render(
        difference=difference,
        parity=difference.parity,
        headline=_HEADLINES[difference.outcome],
        body=_BODIES[difference.outcome],
        style=Markup(style),  # noqa: S704  our own file; the content security policy admits its hash alone
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        version=metadata.version("seatrial"),
        shown=SHOWN,
    )


def _neutral(value: Any) -> Any:
    """Pass numbers and our own markup; everything else that the template prints is made neutral, then escaped."""
    return value if isinstance(value, Markup | int | float) else neutral(value, 600)

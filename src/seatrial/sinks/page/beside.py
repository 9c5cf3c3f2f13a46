"""Pages in the style of the report whose template and style stand beside the code that fills them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from seatrial.formatting import number, plural
from seatrial.sinks.text import neutral


def render(folder: Path, slugs: Mapping[str, str], most: int, content: Mapping[str, Any]) -> str:
    """Return ``page.html.j2`` of a folder, filled, in the style of the report and of its ``page.css``.

    Args:
        folder: holds both files.
        slugs: the style of each state, for the template's filter ``slug``.
        most: characters of a text that are shown.
        content: what the template fills in; whatever is no number and no markup is made neutral, then escaped.
    """

    def neutralised(value: Any) -> Any:
        return value if isinstance(value, Markup | int | float) else neutral(value, most)

    styles = Path(__file__).with_name("report.css"), folder / "page.css"
    style = "".join(path.read_text(encoding="utf-8") for path in styles)
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=neutralised,
    )  # fmt: skip
    environment.filters |= {"number": number, "plural": plural, "short": neutral, "slug": slugs.__getitem__}
    return environment.get_template("page.html.j2").render(
        **content,
        style=Markup(style),  # noqa: S704  our own file; the content security policy admits its hash alone
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        seatrial=metadata.version("seatrial"),
    )

"""The fields of a multipart form, as they are written."""

from __future__ import annotations

import re

from seatrial.errors import PipelineError

UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # in a header

Part = str | bytes | tuple[str, bytes, str]
"""A field of a form: text, bytes, or a file as (name, content, content type)."""


def form_part(name: str, part: Part) -> bytes:
    """Return a field of a form with its head; PipelineError where its name, file or type cannot be written."""
    file, content, kind = ("", part, "") if isinstance(part, str | bytes) else part
    if any('"' in text or UNSAFE.search(text) for text in (name, file, kind)):
        raise PipelineError(f"HttpRequest.form has the part {name[:60]!r}, whose name, file or type cannot be written.")
    head = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{file}"' if file else "")
    head += f"\r\nContent-Type: {kind}" if kind else ""
    data = content.encode("utf-8") if isinstance(content, str) else bytes(content)
    return head.encode("utf-8") + b"\r\n\r\n" + data

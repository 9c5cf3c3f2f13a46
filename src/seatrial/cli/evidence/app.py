"""The words of ``seatrial evidence``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seatrial.cli.conventions import Flag
from seatrial.errors import EXIT_PASS
from seatrial.io.files import atomic_write

STDOUT = "-"


def evidence(
    model_uri: str,
    *,
    json: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    html: Path | None = None,
    project: Path = Path(),
    quiet: Flag = False,
) -> int:
    """Show which results of a signed verdict support which subcategory of the NIST AI RMF, and the ML Test Score.

    Signatures, digests and the history of the policy are verified first. A threshold that was not committed before the
    run counts for nothing; what no result supports is listed as not assessed, with the reason.

    Args:
        model_uri: version as models:/NAME/VERSION or models:/NAME@ALIAS.
        json: write all of it to this file, as JSON; -: print it instead of the table. Its schema: seatrial schema
            evidence.
        html: write a page that can be read offline to this file.
        project: project directory.
        quiet: print nothing.
    """
    from seatrial.cli.preflight import before

    before.verification(project, model_uri)
    from seatrial.cli.evidence.table import show  # slow to import
    from seatrial.promotion.assurance.build import evidence as command
    from seatrial.promotion.assurance.model import to_json

    found = command(project, model_uri)
    if json == STDOUT:
        print(to_json(found), end="")  # noqa: T201
    elif json is not None:
        atomic_write(Path(json), to_json(found).encode("utf-8", "replace"))
    if html is not None:
        from seatrial.promotion.assurance.page import render

        atomic_write(html, render(found).encode("utf-8", "replace"))
    if json != STDOUT and not quiet:
        show(found)
    return EXIT_PASS

"""What every source of fixtures promises."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa

from seatrial.fixtures import spec_file
from seatrial.fixtures.check import check
from seatrial.fixtures.make import make
from seatrial.fixtures.sources.base import Source, SourceRequest, SourceResult
from seatrial.reference.snapshot import Reference
from seatrial.testing.registration import require


def source_conforms(source: Source, declared: dict[str, Any], folder: Path, reference: Reference | None = None) -> None:
    """Hold a source of fixtures to its protocol: the rows declared, the same again, and a manifest that says how.

    Args:
        source: the function.
        declared: a table of fixtures.toml, with ``source``, ``rows`` and what the source needs; the source must be
            registered under that name.
        folder: an empty directory of the test.
        reference: what is imitated, where the source imitates.

    Raises:
        AssertionError: the first promise that is broken.

    Example:
        >>> from tempfile import mkdtemp
        >>> from seatrial.fixtures.sources.fake import make_fake
        >>> declared = {"source": "fake", "rows": 5, "columns": {"id": {"sequence": "r{}"}}}
        >>> source_conforms(make_fake, declared, Path(mkdtemp()))
    """
    wanted = spec_file.declared("conformance", declared)
    made = source(SourceRequest(wanted, reference, folder))
    require(isinstance(made, SourceResult), f"The source returned a {type(made).__name__}, not a SourceResult.")
    require(
        isinstance(made.table, pa.Table), f"SourceResult.table is a {type(made.table).__name__}, not a pyarrow.Table."
    )
    if wanted.rows:
        require(
            made.table.num_rows == wanted.rows,
            f"It made {made.table.num_rows:,} rows; {wanted.rows:,} are declared.",
        )
    require(all(made.table.column_names), "A column has no name.")
    for name in made.libraries:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError as error:
            raise AssertionError(f"SourceResult.libraries names '{name}', which is not installed.") from error
    fixture = make(wanted, folder, reference=reference)
    again = check(fixture.root, reference=reference, declaration=wanted)
    require(again.ok, f"Made again from its manifest, the fixture is not the same: {again}")

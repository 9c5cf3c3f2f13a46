"""One request for every combination of declared values."""

from __future__ import annotations

from itertools import product

import pyarrow as pa

from seatrial.errors import FixtureError
from seatrial.fixtures.sources.base import SourceRequest, SourceResult


def make_grid(request: SourceRequest) -> SourceResult:
    """Return every combination of ``options.values``, numbered in the column ``options.key``.

    Raises:
        FixtureError: there are no values, or another number of combinations than rows.
    """
    declared, options = request.declared, request.declared.options
    values = options.get("values")
    if not isinstance(values, dict) or not values or not all(isinstance(v, list) and v for v in values.values()):
        raise FixtureError(
            f"Fixture '{declared.name}': options.values is {values!r}; it is a table of lists, such as "
            '{ kind = ["a", "b"] }.'
        )
    names = sorted(values)  # a manifest keeps options without their order
    rows = list(product(*(values[name] for name in names)))
    if len(rows) != declared.rows:
        raise FixtureError(
            f"Fixture '{declared.name}': rows = {declared.rows:,}, and there are {len(rows):,} combinations. "
            f"Set rows = {len(rows)}."
        )
    columns = {options.get("key", "id"): pa.array([f"g{n:05d}" for n in range(len(rows))])}
    columns |= {name: pa.array([row[n] for row in rows]) for n, name in enumerate(names)}
    return SourceResult(pa.table(columns), uses_reference=False)

"""Where things of this checkout are, and the real data beside it."""

from __future__ import annotations

from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
ROOT = SUPPORT.parents[1]
EXAMPLE = ROOT / "examples" / "payments"
SHARED = ROOT.parent / "shared"

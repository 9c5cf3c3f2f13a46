"""Images of PIL as plain data, which needs no PIL, and back where a stage gets them."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd

_MODE, _PIXELS, _PALETTE = "PIL.Image", "pixels", "palette"  # an image as a dict; the first names its mode
_WIDE = {"I": "<i4", "F": "<f4", "I;16": "<u2"}


def as_data(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with its images as dicts of mode and pixels; the frame itself where it holds none.

    Images are found as cells, and in lists that are cells.
    """
    pil = sys.modules.get("PIL.Image")  # not imported: without it there are no images
    return frame if pil is None else _mapped(frame, pil.Image, _data)


def as_pictures(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with the images that :func:`as_data` took apart; the frame itself where it holds none."""
    return _mapped(frame, dict, _picture)


def _mapped(frame: pd.DataFrame, kind: type, change: Any) -> pd.DataFrame:
    changed = {}
    for name, dtype in frame.dtypes.items():
        if isinstance(dtype, np.dtype) and dtype.kind == "O":
            cells = frame[name].tolist()
            if not any(kind_of is list or issubclass(kind_of, kind) for kind_of in set(map(type, cells))):
                continue
            made = [[change(v) for v in cell] if type(cell) is list else change(cell) for cell in cells]
            if any(now is not was and not _same_list(now, was) for now, was in zip(made, cells, strict=True)):
                changed[name] = made
    if not changed:
        return frame
    out = frame.copy(deep=False)
    for name, cells in changed.items():
        values = np.empty(len(cells), dtype=object)
        for n, cell in enumerate(cells):
            values[n] = cell
        out[name] = pd.Series(values, index=frame.index, dtype=object)
    return out


def _same_list(now: Any, was: Any) -> bool:
    return type(now) is list and len(now) == len(was) and all(a is b for a, b in zip(now, was, strict=True))


def _data(image: Any) -> Any:
    """Return an image as its mode, its pixels (height × width, × channels where there are several) and its palette."""
    if not hasattr(image, "tobytes") or not hasattr(image, "getbands"):
        return image
    mode, (width, height) = image.mode, image.size
    if mode == "1":
        return {_MODE: mode, _PIXELS: np.asarray(image).copy()}
    pixels = np.frombuffer(image.tobytes(), _WIDE.get(mode, "u1"))
    channels = pixels.size // max(width * height, 1)
    shape = (height, width) if channels == 1 else (height, width, channels)
    found: dict[str, Any] = {_MODE: mode, _PIXELS: pixels.reshape(shape).copy()}
    if palette := image.getpalette("RGBA") if mode in ("P", "PA") else None:
        found[_PALETTE] = np.array(palette, dtype="u1").reshape(-1, 4)
    return found


def _picture(data: Any) -> Any:
    if type(data) is not dict or _MODE not in data or not {*data} <= {_MODE, _PIXELS, _PALETTE}:
        return data
    from PIL import Image

    mode, pixels = data[_MODE], np.ascontiguousarray(data[_PIXELS])
    if mode == "1":
        return Image.fromarray(pixels)
    image = Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    if _PALETTE in data:
        image.putpalette(data[_PALETTE].tobytes(), "RGBA")
    return image

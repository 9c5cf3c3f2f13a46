"""Strict settings: one pydantic model a file, read from TOML or JSON; :mod:`seatrial.policy.refusals` words the errors.

A model derives from :class:`Settings` and describes each field with :func:`setting`. Its JSON Schema is published for
editors, the reference pages of the documentation are made from it, and errors take their words from it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from seatrial.errors import SeatrialError
from seatrial.policy.refusals import Form, refusal


class Settings(BaseModel):
    """A table of settings: unknown names, other types, NaN and infinity are refused; instances are immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


M = TypeVar("M", bound=Settings)
T = TypeVar("T")


def frozen(value: Any) -> Any:
    """Return lists as tuples, at any depth; anything else as it is.

    Example:
        >>> frozen([[0, 5], [60, 20]])
        ((0, 5), (60, 20))
    """
    return tuple(frozen(each) for each in value) if isinstance(value, list | tuple) else value


List = Annotated[tuple[T, ...], BeforeValidator(frozen)]


def setting(
    default: Any = ..., *, says: str, unit: str = "", example: Any = None, allowed: str = "", **bounds: Any
) -> Any:
    """Return a pydantic field.

    Args:
        default: left out, the setting is required.
        says: what it decides, as a sentence.
        unit: of a number, such as ``ms``.
        example: a right value, shown in errors where the default is none.
        allowed: which values may stand there, to follow "must be", where type and bounds do not say it.
        bounds: ``gt``, ``ge``, ``lt``, ``le``, ``min_length`` and what else pydantic's ``Field`` takes.

    Example:
        >>> class Slo(Settings):
        ...     rate: float = setting(gt=0, says="Requests a second.", unit="requests/s", example=10)
        >>> Slo(rate=10).rate
        10.0
    """
    extra: Any = {name: value for name, value in (("x-unit", unit), ("x-allowed", allowed)) if value}
    more: Any = {**bounds, **({"examples": [example]} if example is not None else {})}
    return Field(default, description=says, json_schema_extra=extra or None, **more)


def read_toml(path: Path, error: type[SeatrialError]) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises:
        error: the file cannot be read as TOML in UTF-8; the message names the place.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as reason:
        raise error(f"{path} is not TOML: {reason}.") from reason


def validated(
    model: type[M],
    values: Mapping[str, Any],
    file: str | Path,
    error: type[SeatrialError],
    *,
    below: tuple[str, ...] = (),
    form: Literal["toml", "json"] = "toml",
) -> M:
    """Return ``values`` as ``model``.

    Args:
        model: what the file, or the table of it, may hold.
        values: what it holds.
        file: named in the message.
        error: the class that is raised.
        below: the table of the file that ``values`` is, such as ``("tool", "seatrial")``.
        form: how examples are written.

    Raises:
        error: naming each wrong setting, what was found, what is allowed, and the nearest name.
    """
    try:
        return model.model_validate(values)
    except ValidationError as reason:
        raise error(refusal(model, reason, values, str(file), Form(form, below))) from None

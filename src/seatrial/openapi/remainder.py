"""What no rule has judged: a key of the document that differs is unknown, so that nothing changes in silence.

Each object of a document is compared key by key. The rules of an object name the keys that they judge; what else
differs is reported as unknown with its JSON path. Descriptions, examples and the like change nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from seatrial.openapi.changes import Compat, ContractChange, SchemaPair
from seatrial.openapi.references import closure
from seatrial.openapi.silent import bare, is_silent


def differ(pair: SchemaPair, old: Any, new: Any) -> bool:
    """Whether two parts of the documents, or what they refer to, differ in more than what is told to people."""
    return closure(pair.before, old, bare) != closure(pair.after, new, bare)


def remainder(
    pair: SchemaPair, old: Mapping[str, Any], new: Mapping[str, Any], judged: Collection[str]
) -> Iterator[ContractChange]:
    """Yield as unknown each key that differs, that is not silent, and that is not among those judged.

    A key that is judged is unknown too where its value is of another JSON type than OpenAPI gives it: rules read it as
    absent. Null is a value of its own.
    """
    for key in sorted(set(old) | set(new), key=str):
        word = str(key)
        was, now = ([side[key]] if key in side else [] for side in (old, new))
        odd = [v for v in (*was, *now) if not isinstance(v, KINDS.get(word, object))]
        if is_silent(word) or (key in judged and not odd) or not differ(pair, was, now):
            continue
        place = pair.step(word)
        told = " and is malformed" if odd else ""
        yield place.change("unjudged", Compat.UNKNOWN, f"'{word[:40]}' changed{told}, at {place.path}.")


KINDS: Mapping[str, type | tuple[type, ...]] = {
    "required": (bool, list), "parameters": list, "schema": (Mapping, bool), "content": Mapping, "responses": Mapping,
    "requestBody": Mapping, "headers": Mapping, "links": Mapping, "encoding": Mapping, "security": list,
    "explode": bool, "allowEmptyValue": bool, "style": str, "components": Mapping, "paths": Mapping,
    "webhooks": Mapping, "properties": Mapping, "items": (Mapping, bool), "readOnly": bool, "writeOnly": bool,
    "discriminator": Mapping, "pattern": str, "format": str, "uniqueItems": bool, "nullable": bool,
    "contentEncoding": str, "contentMediaType": str, "enum": list, "openapi": str, "info": Mapping,
    "additionalProperties": (Mapping, bool), "minimum": (int, float), "maximum": (int, float),
    "minLength": int, "maxLength": int, "minItems": int, "maxItems": int, "minProperties": int, "maxProperties": int,
}  # fmt: skip

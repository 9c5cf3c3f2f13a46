"""Manifests as an API server would check them: by the schema of their kind, without fields that it does not name."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft7Validator

from tests.support.paths import ROOT

FOLDER = ROOT / "tests" / "data" / "kserve"


def problems(manifest: dict[str, Any]) -> list[str]:
    """Return what the API server would refuse about a manifest."""
    schema = strict(json.loads((FOLDER / f"{manifest['kind'].lower()}.json").read_text(encoding="utf-8")))
    found = Draft7Validator(schema).iter_errors(manifest)
    return [f"{'.'.join(map(str, each.absolute_path))}: {each.message}" for each in found]


def strict(schema: Any) -> Any:
    """Return a schema that also refuses fields which it does not name, as kubectl and the API server do."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(value) for name, value in schema.items()}
    if isinstance(made.get("properties"), dict) and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made

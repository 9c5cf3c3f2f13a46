"""The requests under ``/api/2.0/mlflow/unity-catalog``, by the messages that MLflow's own client sends.

A request with a field that its message has not, or without one that the message requires, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from mlflow.protos import databricks_pb2
from mlflow.protos import databricks_uc_registry_messages_pb2 as messages
from mlflow.store._unity_catalog.registry.rest_store import _METHOD_TO_INFO

from tests.support.databricks.catalog import Catalog, Model, Refused, Version, page

ONLY = re.compile(r"^name\s*=\s*'([^']*)'$")


class Legacy:
    """Answers by name of the request's message."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.routes = {info: message for message, info in _METHOD_TO_INFO.items()}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer; None where no request has this address."""
        message = self.routes.get((path, method))
        if message is None:
            return None
        handler: Callable[[Any], Any] | None = getattr(self, f"_{message.__name__.removesuffix('Request')}", None)
        if handler is None:
            raise Refused("ENDPOINT_NOT_FOUND", f"No stand-in for {message.__name__}.", 404)
        return as_json(handler(parsed(message(), body)))

    def _CreateRegisteredModel(self, asked: Any) -> Any:
        self.catalog.create(asked.name)
        return messages.CreateRegisteredModelResponse(registered_model=self._model(asked.name))

    def _GetRegisteredModel(self, asked: Any) -> Any:
        return messages.GetRegisteredModelResponse(registered_model=self._model(asked.name))

    def _SearchRegisteredModels(self, asked: Any) -> Any:
        found, token = page(sorted(self.catalog.models), asked.page_token, asked.max_results, 1_000)
        listed = [messages.RegisteredModel(name=name) for name in found]
        return messages.SearchRegisteredModelsResponse(registered_models=listed, next_page_token=token)

    def _CreateModelVersion(self, asked: Any) -> Any:
        version = self.catalog.add(asked.name, asked.source, asked.run_id)
        return messages.CreateModelVersionResponse(model_version=self._version(version))

    def _FinalizeModelVersion(self, asked: Any) -> Any:
        version = self.catalog.finalize(asked.name, asked.version)
        return messages.FinalizeModelVersionResponse(model_version=self._version(version))

    def _GetModelVersion(self, asked: Any) -> Any:
        version = self.catalog.version(asked.name, asked.version)
        return messages.GetModelVersionResponse(model_version=self._version(version))

    def _GetModelVersionByAlias(self, asked: Any) -> Any:
        version = self.catalog.by_alias(asked.name, asked.alias)
        return messages.GetModelVersionByAliasResponse(model_version=self._version(version))

    def _SearchModelVersions(self, asked: Any) -> Any:
        only = ONLY.match(asked.filter)
        if only is None:
            raise Refused("INVALID_PARAMETER_VALUE", f"Unsupported filter query: `{asked.filter}`.")
        versions = sorted(self.catalog.model(only[1]).versions.values(), key=lambda v: v.number)
        found, token = page(versions, asked.page_token, asked.max_results, 10_000)
        listed = [self._version(v) for v in found]
        return messages.SearchModelVersionsResponse(model_versions=listed, next_page_token=token)

    def _UpdateModelVersion(self, asked: Any) -> Any:
        version = self.catalog.describe(asked.name, asked.version, asked.description)
        return messages.UpdateModelVersionResponse(model_version=self._version(version))

    def _SetModelVersionTag(self, asked: Any) -> Any:
        self.catalog.tag(asked.name, asked.version, asked.key, asked.value)
        return messages.SetModelVersionTagResponse()

    def _SetRegisteredModelAlias(self, asked: Any) -> Any:
        self.catalog.set_alias(asked.name, asked.alias, asked.version)
        return messages.SetRegisteredModelAliasResponse()

    def _GetModelVersionDownloadUri(self, asked: Any) -> Any:
        version = self.catalog.version(asked.name, asked.version)
        where = f"s3://nobody-has-credentials/{version.name}/{version.number}"
        return messages.GetModelVersionDownloadUriResponse(artifact_uri=where)

    def _GenerateTemporaryModelVersionCredentials(self, asked: Any) -> Any:
        self.catalog.version(asked.name, asked.version)
        credentials = messages.TemporaryCredentials(storage_mode=messages.DEFAULT_STORAGE)
        return messages.GenerateTemporaryModelVersionCredentialsResponse(credentials=credentials)

    def _IsDatabricksSdkModelsArtifactRepositoryEnabled(self, _: Any) -> Any:
        return messages.IsDatabricksSdkModelsArtifactRepositoryEnabledResponse()

    def _model(self, name: str) -> Any:
        model: Model = self.catalog.model(name)
        aliases = [messages.RegisteredModelAlias(alias=a, version=str(n)) for a, n in model.aliases.items()]
        return messages.RegisteredModel(name=name, aliases=aliases)

    def _version(self, version: Version) -> Any:
        aliases = self.catalog.aliases_of(version)
        return messages.ModelVersion(
            name=version.name, version=str(version.number), creation_timestamp=version.created,
            last_updated_timestamp=version.updated, description=version.description, source=version.source,
            run_id=version.run_id, status=messages.READY if version.ready else messages.PENDING_REGISTRATION,
            aliases=[messages.RegisteredModelAlias(alias=a, version=str(version.number)) for a in aliases],
            tags=[messages.ModelVersionTag(key=k, value=v) for k, v in version.tags.items()],
        )  # fmt: skip


def parsed(message: Any, body: dict[str, Any]) -> Any:
    """Return a message read strictly from JSON or from the words of a query."""
    words = {"True": True, "true": True, "False": False, "false": False}  # of a query
    try:
        asked = ParseDict({k: words.get(v, v) if isinstance(v, str) else v for k, v in body.items()}, message)
    except ParseError as error:
        raise Refused("INVALID_PARAMETER_VALUE", str(error)) from error
    for each in message.DESCRIPTOR.fields:
        if each.GetOptions().Extensions[databricks_pb2.validate_required] and not getattr(asked, each.name):
            raise Refused("INVALID_PARAMETER_VALUE", f"Missing value for required parameter '{each.name}'.")
    return asked


def as_json(message: Any) -> dict[str, Any]:
    """Return a message as JSON with the names of its fields."""
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return found

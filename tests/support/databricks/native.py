"""The requests under ``/api/2.1/unity-catalog``: of Databricks' newer store, and of the open-source Unity Catalog."""

from __future__ import annotations

import re
from typing import Any

from mlflow.protos import unity_catalog_messages_pb2 as messages
from mlflow.protos.unity_catalog_service_pb2 import UnityCatalogService
from mlflow.utils.rest_utils import _UC_OSS_REST_API_PATH_PREFIX, extract_api_info_for_service

from tests.support.databricks.catalog import Catalog, Refused, Version, page
from tests.support.databricks.legacy import as_json, parsed


class Native:
    """Answers by name of the request's message; the open-source one keeps files in a folder, and has less."""

    def __init__(self, catalog: Catalog, folder: str = "") -> None:
        self.catalog, self.folder = catalog, folder
        info = extract_api_info_for_service(UnityCatalogService, _UC_OSS_REST_API_PATH_PREFIX)
        self.routes = [
            (method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$"), message)
            for message, (path, method) in info.items()
        ]

    def answer(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer; None where no request has this address."""
        for verb, pattern, message in self.routes:
            if verb == method and (found := pattern.match(path)):
                handler = getattr(self, f"_{message.__name__}", None)
                if handler is None:
                    raise Refused("ENDPOINT_NOT_FOUND", f"No stand-in for {message.__name__}.", 404)
                return as_json(handler(parsed(message(), {**body, **found.groupdict()})))
        return None

    def _CreateRegisteredModel(self, asked: Any) -> Any:
        return self._model(self.catalog.create(f"{asked.catalog_name}.{asked.schema_name}.{asked.name}").name)

    def _GetRegisteredModel(self, asked: Any) -> Any:
        return self._model(asked.full_name)

    def _ListRegisteredModels(self, asked: Any) -> Any:
        found, token = page(sorted(self.catalog.models), asked.page_token, asked.max_results, 1_000)
        listed = [self._model(name) for name in found]
        return messages.ListRegisteredModels.Response(registered_models=listed, next_page_token=token)

    def _CreateModelVersion(self, asked: Any) -> Any:
        name = f"{asked.catalog_name}.{asked.schema_name}.{asked.model_name}"
        return self._version(self.catalog.add(name, asked.source, asked.run_id))

    def _FinalizeModelVersion(self, asked: Any) -> Any:
        return self._version(self.catalog.finalize(asked.full_name, str(asked.version)))

    def _GetModelVersion(self, asked: Any) -> Any:
        return self._version(self.catalog.version(asked.full_name, str(asked.version)))

    def _GetModelVersionByAlias(self, asked: Any) -> Any:
        return self._version(self.catalog.by_alias(asked.full_name, asked.alias))

    def _ListModelVersions(self, asked: Any) -> Any:
        versions = sorted(self.catalog.model(asked.full_name).versions.values(), key=lambda v: v.number)
        found, token = page(versions, asked.page_token, asked.max_results, 1_000)
        listed = [self._version(v) for v in found]
        return messages.ListModelVersions.Response(model_versions=listed, next_page_token=token)

    def _UpdateModelVersion(self, asked: Any) -> Any:
        return self._version(self.catalog.describe(asked.full_name, str(asked.version), asked.comment))

    def _UpdateTagSubentityAssignments(self, asked: Any) -> Any:
        for tag in asked.changes.add_tags:
            self.catalog.tag(asked.securable_full_name, asked.subentity_name, tag.key, tag.value)
        return messages.UpdateTagSubentityAssignments.Response()

    def _SetRegisteredModelAlias(self, asked: Any) -> Any:
        self.catalog.set_alias(asked.full_name, asked.alias, str(asked.version_num))
        return messages.SetRegisteredModelAlias.Response()

    def _GenerateTemporaryModelVersionCredential(self, asked: Any) -> Any:
        name = f"{asked.catalog_name}.{asked.schema_name}.{asked.model_name}"
        self.catalog.version(name, str(asked.version))
        return messages.TemporaryCredentials(storage_mode=messages.DEFAULT_STORAGE)

    def _model(self, name: str) -> Any:
        model = self.catalog.model(name)
        catalog, schema, own = name.split(".")
        aliases = [messages.RegisteredModelAliasInfo(alias_name=a, version_num=n) for a, n in model.aliases.items()]
        return messages.RegisteredModelInfo(
            name=own, catalog_name=catalog, schema_name=schema, full_name=name, aliases=[] if self.folder else aliases
        )

    def _version(self, version: Version) -> Any:
        catalog, schema, model = version.name.split(".")
        where = f"file://{self.folder}/{version.name}/{version.number}" if self.folder else "s3://nobody/has"
        return messages.ModelVersionInfo(
            model_name=model, catalog_name=catalog, schema_name=schema, version=version.number,
            source=version.source, run_id=version.run_id, comment=version.description, storage_location=where,
            created_at=version.created, updated_at=version.updated,
            status=messages.READY if version.ready else messages.PENDING_REGISTRATION,
            **({} if self.folder else self._beyond_open_source(version)),
        )  # fmt: skip

    def _beyond_open_source(self, version: Version) -> dict[str, Any]:
        aliases = self.catalog.aliases_of(version)
        return {
            "aliases": [messages.RegisteredModelAliasInfo(alias_name=a, version_num=version.number) for a in aliases],
            "tags": [messages.TagKeyValue(key=k, value=v) for k, v in version.tags.items()],
        }

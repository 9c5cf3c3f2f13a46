"""Tracking servers that others host: how they name experiments, and where they show runs.

Databricks keeps experiments in the folders of a workspace, so a name is an absolute path, and its folder must be there.
Azure Machine Learning finds no experiment by a name with a slash. SageMaker hosts MLflow itself: nothing differs.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import inspect
import os
import re
from pathlib import PurePosixPath
from typing import Any

from seatrial.errors import RegistryError
from seatrial.registry.mlflow.stores import VARIABLES

VARIABLE = "SEATRIAL_EXPERIMENTS"  # the folder of the experiments in a Databricks workspace
SHARED = "/Shared/seatrial"  # that folder by default
AZURE = "azureml:"
PLUGINS = {  # by what the address begins with: the extra, and its module
    "arn:": ("sagemaker", "sagemaker_mlflow"),
    AZURE: ("azureml", "azureml.mlflow"),
}
PLAIN = re.compile(r"[^A-Za-z0-9_-]")  # what Azure takes in no name of an experiment


def experiment_of(model: str) -> str:
    """Return the experiment that holds the verdicts of a model.

    Raises:
        RegistryError: ``SEATRIAL_EXPERIMENTS`` is no absolute path.

    Example:
        >>> experiment_of("payments")
        'seatrial/payments'
    """
    if on_databricks():
        folder = os.environ.get(VARIABLE) or SHARED
        if not folder.startswith("/"):
            raise RegistryError(
                f"{VARIABLE} is '{folder}', which is no folder of a Databricks workspace. Write an absolute path, such "
                f"as {SHARED} or /Users/you@example.com/seatrial."
            )
        return f"{folder.rstrip('/')}/{model}"
    if _tracking().startswith(AZURE):
        plain = PLAIN.sub("_", model)
        digest = f"-{hashlib.sha256(model.encode()).hexdigest()[:8]}" if plain != model else ""
        return f"seatrial-{plain}{digest}"
    return f"seatrial/{model}"


def make_folder(experiment: str) -> None:
    """Make the folder of an experiment where the server wants one; one that is there stays.

    Raises:
        RegistryError: the workspace refuses it.
        MlflowException: the workspace does not answer.
    """
    if not on_databricks():
        return
    from mlflow.exceptions import RestException
    from mlflow.utils.rest_utils import http_request, verify_rest_response

    path, folder = "/api/2.0/workspace/mkdirs", str(PurePosixPath(experiment).parent)
    try:
        verify_rest_response(http_request(_credentials(), path, "POST", json={"path": folder}), path)
    except RestException as error:
        said = error.message.partition(" Config: ")[0].rstrip(".")  # the rest is of the SDK, about this machine
        raise RegistryError(
            f"Databricks does not let experiments be kept in {folder}: {said}. Name a folder that "
            f"you may write to: export {VARIABLE}=/Users/you@example.com/seatrial"
        ) from error


def check_plugin(*, files: bool) -> None:
    """Raise where MLflow cannot reach a hosted server, or with ``files`` cannot keep files there.

    Raises:
        RegistryError: the package for it is missing, or is one that this MLflow cannot use.
    """
    for scheme, (extra, module) in PLUGINS.items():
        if any(os.environ.get(name, "").startswith(scheme) for name in VARIABLES):
            if not _is_installed(module):
                raise RegistryError(
                    f"MLflow reaches {scheme}… by a plugin, which is not installed: pip install 'seatrial[{extra}]'"
                )
            if files and scheme == AZURE:
                _check_azure()


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it is in
        return False


def _check_azure() -> None:
    """Since release 3, MLflow tells an artifact store where runs and models are; older plugins do not take that."""
    from azureml.mlflow.entry_point_loaders import azureml_artifacts_builder

    if "tracking_uri" not in inspect.signature(azureml_artifacts_builder).parameters:
        plugin, mlflow = (importlib.metadata.version(name) for name in ("azureml-mlflow", "mlflow"))
        raise RegistryError(
            f"azureml-mlflow {plugin} cannot store or read files under MLflow {mlflow}. Install releases that go "
            "together: pip install 'seatrial[azureml]'. It brings MLflow 3.15.0, the newest that the plugin takes."
        )


def on_databricks() -> bool:
    """Return whether runs are logged to a Databricks workspace."""
    return _tracking().partition(":")[0] == "databricks"


def workspace() -> str:
    """Return the address of the Databricks workspace; empty for any other server."""
    return str(_credentials().host or "").rstrip("/") if on_databricks() else ""


def _credentials() -> Any:
    from mlflow.utils.databricks_utils import get_databricks_host_creds

    return get_databricks_host_creds(_tracking())


def _tracking() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI", "")

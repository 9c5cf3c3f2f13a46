"""``seatrial up`` starts servers of its own, and none beside those that are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.errors import UsageError
from seatrial.orchestration.stack import serving


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("PREFECT_API_URL", "http://prefect:4200/api"),
        ("MLFLOW_TRACKING_URI", "https://mlflow.example"),
        ("MLFLOW_TRACKING_URI", "databricks"),
        ("MLFLOW_TRACKING_URI", "arn:aws:sagemaker:eu-west-1:1:mlflow-tracking-server/a"),
    ],
)
def test_a_server_that_is_named_is_not_replaced(
    name: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The models that a reader expects there would not be in the one that is started."""
    monkeypatch.setenv(name, address)
    with pytest.raises(UsageError, match=f"{name} is already set to a server"), serving(tmp_path, ports={}):
        pass

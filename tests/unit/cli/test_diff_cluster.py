"""What compares the parts of large tables: the cluster that was asked for, or declared, or this process."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from seatrial.cli.diff.command import Selection, difference_of
from seatrial.cli.diff.scale import runner
from seatrial.errors import ProjectError, UsageError
from seatrial.parity.streaming import InProcess


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder of its own."""
    monkeypatch.chdir(tmp_path)


def test_a_cluster_that_is_none_is_refused_at_once():
    frame = pd.DataFrame({"id": [1], "v": [1.0]})
    frame.to_parquet("a.parquet")
    for name in ("http://10.0.0.5:8787", "locally", "tcp://10.0.0.5"):
        with pytest.raises(
            UsageError, match=r"is no Dask cluster: it is the address .*tcp://10\.0\.0\.5:8786.*\"local\""
        ):
            difference_of(Path("a.parquet"), Path("a.parquet"), Selection(("id",)), name)


@pytest.mark.parametrize("declared", [True, False])
def test_without_dask_an_error_says_what_to_install_and_what_asked_for_it(declared, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    if declared:
        Path("pyproject.toml").write_text('[tool.seatrial]\npipeline = "a.py:b"\nscale.cluster = "local"\n')
    setting = r"\[tool\.seatrial\.scale\] cluster" if declared else "--cluster"
    told = rf"{setting}.* needs Dask.*pip install 'seatrial\[dask\]'"
    with pytest.raises(UsageError, match=told), runner(None if declared else "tcp://10.0.0.5:8786"):
        pass


def test_no_project_is_no_cluster_and_a_broken_one_is_an_error():
    with runner(None) as found:
        assert isinstance(found, InProcess)
    settings = '[tool.seatrial]\npipeline = "a.py:b"\n[tool.seatrial.scale]\n'
    for wrong, told in (('cluster = "lokal"', "is the address of"), ("workers = 2", "is of the cluster 'local'")):
        Path("pyproject.toml").write_text(settings + wrong)
        with pytest.raises(ProjectError, match=told), runner(None):
            pass

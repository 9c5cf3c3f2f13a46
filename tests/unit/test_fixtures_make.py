"""Making, opening and checking fixtures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from seatrial import Reference
from seatrial.errors import FixtureError
from seatrial.fixtures import spec_file
from seatrial.fixtures.make import ROWS, Fixture, check, copy_to, make, remove, show
from seatrial.io.bundle import MANIFEST, digest_of, seal
from tests.unit import fixture_data as data

pytest.importorskip("faker")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference.load(data.reference().save(tmp_path_factory.mktemp("reference") / "reference"))


@pytest.fixture
def kept(reference: Reference, tmp_path: Path) -> Fixture:
    return make(spec_file.declared("shop", data.SYNTHETIC), tmp_path, reference=reference)


def edit(fixture: Fixture, **changes: object) -> None:
    """Change the manifest and seal it again, as a fixture made elsewhere would be."""
    said = {k: v for k, v in fixture.manifest.items() if k not in ("files", "digest")}
    seal(fixture.root, said | changes)


@pytest.mark.parametrize("table", [data.SYNTHETIC, data.FAKE, {"source": "edges", "payload": "payload"}])
def test_made_twice_in_fresh_processes_has_the_same_digest(table, reference: Reference, tmp_path: Path) -> None:
    """Neither the hash seed nor the process decides a row."""
    code = (
        "import sys, json; from seatrial import Reference; from seatrial.fixtures import spec_file, make;"
        "wanted = spec_file.declared('x', json.loads(sys.argv[1]));"
        "print(make.make(wanted, sys.argv[2], reference=Reference.load(sys.argv[3])).digest)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, json.dumps(table), str(tmp_path / seed), str(reference.root)],
            env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(digests) == 1
    assert check(tmp_path / "1" / "x", reference=reference).ok


def test_synthetic_requests_go_down_the_path(kept: Fixture) -> None:
    """The rows are requests like the real ones: parsed, scored, every declared constraint held."""
    parsed = data.parse(kept.frame)
    answers = data.decide(data.score(parsed))
    assert len(answers) == 800
    assert parsed["id"].is_unique
    assert set(zip(parsed["country"], parsed["currency"], parsed["time"].str[19:], strict=True)) <= {
        (c, *v) for c, v in data.COUNTRIES.items()
    }
    assert (parsed["fee"] < parsed["amount"] + 2).all()
    assert parsed["postcode"].str.fullmatch(r"\d{5}").all()
    assert set(parsed["customer"]) <= set(data.parse(data.requests())["customer"])
    assert parsed["device"].isna().mean() == pytest.approx(0.2, abs=0.06)
    assert max(kept.manifest["quality"]["columns"].values()) <= 0.12
    assert kept.manifest["leaks"]["copies"] == 0


def test_manifest_says_how_it_was_made(kept: Fixture, reference: Reference) -> None:
    """Source, seed, locale, libraries, rows, schema, privacy and digests stand in the manifest."""
    said = kept.manifest
    assert (said["source"], said["seed"], said["locale"], said["rows"]) == ("copula", 5, "en_US", 800)
    assert said["reference"] == reference.digest
    assert said["libraries"]["pandas"] == pd.__version__
    assert said["schema"] == [["payload", "string"]]
    assert said["privacy"] is None
    assert said["digest"] == digest_of(said)
    assert spec_file.declared("shop", said["declared"]) == spec_file.declared("shop", data.SYNTHETIC)
    assert "800 rows by copula" in show(kept.root)


def test_an_edited_row_is_refused(kept: Fixture) -> None:
    """A row changed after the fact is an error that names the file."""
    frame = kept.frame
    frame.loc[0, "payload"] = frame.loc[1, "payload"]
    frame.to_parquet(kept.root / ROWS)
    with pytest.raises(FixtureError, match=r"rows.parquet .* truncated or edited"):
        Fixture.load(kept.root)
    with pytest.raises(FixtureError, match="edited"):
        check(kept.root)


def test_an_edited_row_with_a_new_seal_is_drift(kept: Fixture, reference: Reference) -> None:
    """Sealing an edited row again does not hide it: made again, the rows are others."""
    frame = kept.frame
    frame.loc[0, "payload"] = frame.loc[1, "payload"]
    frame.to_parquet(kept.root / ROWS)
    edit(kept)
    found = check(kept.root, reference=reference)
    assert not found.ok
    assert "gave other rows" in str(found)


def test_a_missing_manifest_is_refused(kept: Fixture) -> None:
    """Rows without a manifest are no fixture."""
    (kept.root / MANIFEST).unlink()
    with pytest.raises(FixtureError, match=r"no manifest\.json"):
        Fixture.load(kept.root)


def test_another_library_version_is_drift_with_the_reason(kept: Fixture, reference: Reference) -> None:
    """The report names the library and both versions, and that the rows are the same."""
    edit(kept, libraries=kept.manifest["libraries"] | {"numpy": "1.0.0"})
    found = check(kept.root, reference=reference)
    assert found.reasons == (f"library: numpy was 1.0.0, and is {np.__version__} (the rows are the same)",)
    assert str(found).startswith("fixture drift: 'shop' (this says nothing about the model)")


def test_a_changed_declaration_and_another_reference_are_drift(kept: Fixture) -> None:
    """Both are named."""
    wanted = spec_file.declared("shop", data.SYNTHETIC | {"seed": 6})
    found = check(kept.root, reference=data.reference(seed=1), wanted=wanted)
    assert any("seed was 5, and is 6" in r for r in found.reasons)
    assert any("made from reference" in r for r in found.reasons)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"provider": "frist_name"}, "Did you mean 'first_name'"),
        ({"provider": "name", "locale": "de_DD"}, "Did you mean 'de_DE'"),
        ({"like": "amuont"}, r"The profile lacks 'amuont'.*Did you mean 'amount'"),
        ({"like": "device", "given": "contry"}, "Did you mean 'country'"),
        ({"formula": "amount +"}, "cannot be evaluated"),
        ({"sequence": "f"}, "filled with one number"),
        ({"like": "fee", "follows": "country", "rho": 0.4, "given": "x"}, "Column 'x' is not known"),
    ],
)
def test_what_cannot_be_made_leaves_nothing(column, message: str, reference: Reference, tmp_path: Path) -> None:
    """The error names the nearest match, and no file is written."""
    wanted = {**data.FAKE, "columns": {**data.FAKE["columns"], "extra": column}}
    with pytest.raises(FixtureError, match=message):
        make(spec_file.declared("x", wanted), tmp_path, reference=reference)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"constraints": ["amount < 0"]}, "breaking 'amount < 0'"),
        ({"constraints": ["amuont < 0"]}, "cannot be evaluated"),
        ({"together": [["country", "curency"]]}, "Did you mean 'currency'"),
        ({"distance": 0.001}, "above 0.001"),
        ({"drop": ["devcie"]}, "Did you mean 'device'"),
        ({"payload": "body"}, "no payload column 'body'"),
    ],
)
def test_a_copula_that_cannot_hold_is_refused(changes, message: str, reference: Reference, tmp_path: Path) -> None:
    """A constraint no row holds, an unknown column, a marginal too far away: an error and no file."""
    with pytest.raises(FixtureError, match=message):
        make(spec_file.declared("x", data.SYNTHETIC | changes), tmp_path, reference=reference)
    assert not list(tmp_path.rglob("*"))


def test_a_failed_make_keeps_the_fixture_that_stands(kept: Fixture, reference: Reference) -> None:
    """Half a new fixture never replaces a whole old one."""
    wanted = spec_file.declared("shop", data.SYNTHETIC | {"constraints": ["amount < 0"]})
    with pytest.raises(FixtureError):
        make(wanted, kept.root.parent, reference=reference)
    assert Fixture.load(kept.root).digest == kept.digest


def test_no_reference_is_said(tmp_path: Path) -> None:
    """A fixture that imitates needs something to imitate."""
    with pytest.raises(FixtureError, match="none was given"):
        make(spec_file.declared("x", data.SYNTHETIC), tmp_path)


def test_edges_name_their_case(reference: Reference, tmp_path: Path) -> None:
    """Each row carries one edge in one column, and edges.json says which."""
    fixture = make(
        spec_file.declared("edges", {"source": "edges", "payload": "payload"}), tmp_path, reference=reference
    )
    cases = json.loads(fixture.artifact("edges.json"))
    rows = [json.loads(p) for p in fixture.frame["payload"]]
    found = {(c["column"], c["edge"]): r[c["column"]] for c, r in zip(cases, rows, strict=True)}
    assert found["country", "country NA"] == "NA"
    assert found["postcode", "leading zeros"] == "00042"
    assert found["customer", "2^53 + 1"] == 2**53 + 1
    assert str(found["amount", "negative zero"]) == "-0.0"
    assert found["time", "leap day"].startswith("2024-02-29T12:00:00")
    assert found["time", "daylight saving gap, Berlin"].startswith("2025-03-30T02:30:00")
    assert len(found["device", "longest"]) == 10_000
    assert found["device", "empty"] == ""
    assert "\u202e" in found["device", "direction override"]
    assert found["device", "null"] is None
    assert len({r["id"] for r in rows}) == len(rows)


def test_nullable_integers_survive(tmp_path: Path) -> None:
    """2^53 + 1 beside a null is read back as the same integer."""
    import pyarrow as pa

    from seatrial.fixtures.tables import write
    from seatrial.io.bundle import read_frame

    write(
        pa.table({"n": pa.array([2**53 + 1, None]), "b": [True, None], "u": pa.array([1, None], pa.uint8())}),
        tmp_path / "x",
    )
    back = read_frame(tmp_path / "x")
    assert back["n"][0] == 2**53 + 1
    assert [str(t) for t in back.dtypes] == ["Int64", "boolean", "UInt8"]
    assert pq.read_table(tmp_path / "x").num_rows == 2


def test_fixtures_are_stored_by_their_content(kept: Fixture, tmp_path: Path) -> None:
    """Stored twice, kept once, and removed only where there is a fixture."""
    first, second = (copy_to(kept.root, tmp_path / "store") for _ in range(2))
    assert first == second
    assert Fixture.load(first).digest == kept.digest
    remove(first)
    assert not first.exists()
    with pytest.raises(FixtureError, match="no fixture"):
        remove(tmp_path)


def test_a_provider_that_repeats_itself_stands_beside_a_constraint(reference: Reference, tmp_path: Path) -> None:
    """Faker's pool may hold a value many times; constraints and formulas still see plain text."""
    pick = {"provider": "random_element", "arguments": {"elements": ["ios", "web"]}}
    wanted = data.SYNTHETIC | {"columns": {"device": pick, "loud": {"formula": "device.str.upper()"}}}
    fixture = make(spec_file.declared("x", wanted), tmp_path, reference=reference)
    assert set(data.parse(fixture.frame)["loud"]) == {"IOS", "WEB"}

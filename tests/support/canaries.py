"""A credential of its own in each place that takes one, and a search for all of them, in whatever form they are.

``PLACES`` is what a process is given; ``found`` looks into texts, files, archives and databases.
"""

from __future__ import annotations

import base64
import io
import sqlite3
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

VALUES = {  # variables whose whole value is a credential
    name: f"canary-{name.lower().replace('_', '-')}-7f/31+x"
    for name in (
        "PREFECT_API_KEY", "SEATRIAL_WEBHOOK_SECRET", "MLFLOW_TRACKING_PASSWORD", "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "WANDB_API_KEY", "CLEARML_API_ACCESS_KEY",
        "CLEARML_API_SECRET_KEY", "DATABRICKS_TOKEN", "STAGING_KEY", "AZURE_STORAGE_CONNECTION_STRING",
        "MLFLOW_TRACKING_TOKEN", "SEATRIAL_WANDB_WEBHOOK_SECRET", "SEATRIAL_WANDB_WEBHOOK_TOKEN",
    )
}  # fmt: skip
ADDRESSES = (  # variables that are an address, with a user, a password and a token in it
    "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PREFECT_API_URL", "SEATRIAL_LEDGER_URL", "WANDB_BASE_URL",
    "CLEARML_API_HOST", "MODEL_REGISTRY_BASE_URL", "STORE_URL", "HTTPS_PROXY", "SLACK_URL",
)  # fmt: skip
OTHERS = {  # named in the code, and no credential
    "MLFLOW_TRACKING_USERNAME": "a name of a user",
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "of an MLflow server that 'seatrial up' starts",
    "SEATRIAL_SIGNING_KEY": "the path of a file",
    "SEATRIAL_PUBLIC_KEY": "the path of a file, or what anybody may know",
    "KF_PIPELINES_SA_TOKEN_PATH": "the path of a file",
    "MODEL_URI": "the address of a model version in a registry",
    "APP_URL": "an example in a message",
    "API_KEY": "an example in a message",
    "STAGING_PASSWORD": "an example in a message",
    "CERT_PASSWORD": "an example in a message",
    "PAYMENTS_STORE_URL": "an example in a setting",
    "BASE_URL": "a word of a template",
    "EXTRA_INDEX_URL": "a suffix of uv's and pip's, see UV_INDEX_URL",
    "INDEX_URL": "a suffix of uv's and pip's, see UV_INDEX_URL",
    "TRUSTED_HOST": "a name of a host",
    "UV_INSECURE_HOST": "a name of a host",
    "PREFECT_WORKER_WEBSERVER_HOST": "a name of a host",
    "DOCKER_HOST": "an address of a socket",
    "CONTAINER_HOST": "an address of a socket",
    "PREFECT_UI_API_URL": "of a Prefect server that 'seatrial up' starts",
    "UV_INDEX_URL": "given to uv alone; tests/unit/isolation/test_uv.py",
    "UV_EXTRA_INDEX_URL": "given to uv alone; tests/unit/isolation/test_uv.py",
}
SCRIPT = """
import sys
from seatrial.cli import main
for words in sys.argv[1:]:
    print(f"--- {words}", flush=True)
    try:
        main([*words.split(), "--debug"])
    except SystemExit as end:
        print(f"--- code {end.code}", flush=True)
"""  # runs commands one after the other, with the traceback of what they raise


def password(name: str) -> str:
    """Return the canary in the place of the password of an address."""
    return f"canary-pw-{name.lower().replace('_', '-')}-7f"


def token(name: str) -> str:
    """Return the canary in the query of an address."""
    return f"canary-tk-{name.lower().replace('_', '-')}-31"


def address(name: str, scheme: str, host: str, path: str = "", *, query: bool = True) -> str:
    """Return an address with its canaries."""
    return f"{scheme}://ann:{password(name)}@{host}{path}{f'?token={token(name)}' if query else ''}"


def planted() -> dict[str, str]:
    """Return every canary, by the place that it is planted in."""
    found = {f"{name} ({what.__name__})": what(name) for name in ADDRESSES for what in (password, token)}
    return found | VALUES


def forms(canary: str) -> set[bytes]:
    """Return how a canary could be written: plain, in a URL, in base64 whatever comes before it."""
    plain = {canary, quote(canary, safe=""), quote_plus(canary), canary.replace("/", "\\/")}
    encoded = {text.encode() for text in plain}
    for shift in range(3):  # what comes before decides how it is cut into groups of three
        cut = base64.b64encode(b"\0" * shift + canary.encode())
        encoded.add(cut[4 if shift else 0 : -4])
        encoded.add(cut[4 if shift else 0 : -4].replace(b"+", b"-").replace(b"/", b"_"))
    return encoded


def found(contents: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Return where a canary is: its place to the names of what holds it."""
    wanted = {place: forms(canary) for place, canary in planted().items()}
    hits: dict[str, list[str]] = {}
    for name, content in contents.items():
        for place, written in wanted.items():
            if any(form in content for form in written):
                hits.setdefault(place, []).append(name)
    return hits


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, what is in archives, and the rows of SQLite databases."""
    read: dict[str, bytes] = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            read |= dict(_opened(str(path.relative_to(folder)), path.read_bytes()))
            if path.suffix == ".db":
                read[f"{path.relative_to(folder)} (rows)"] = _rows(path)
    return read


def _opened(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, content
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            for each in packed.namelist():
                yield from _opened(f"{name}!{each}", packed.read(each))


def _rows(path: Path) -> bytes:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60) as database:
        database.text_factory = bytes
        tables = [row[0].decode() for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        cells = (cell for table in tables for row in database.execute(f'SELECT * FROM "{table}"') for cell in row)
        return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)

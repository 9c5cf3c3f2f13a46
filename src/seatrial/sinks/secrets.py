"""The credentials that this process was given, and texts without them: what is logged, kept or shown goes to others."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from seatrial.formatting import without_user
from seatrial.pipeline.access import Access
from seatrial.process.sandbox import looks_secret

LEAST = 8  # characters of a value that is taken for a credential by the name of its variable
_PASSWORD = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")
_TOKEN = re.compile(r"https?://([^/\s:@]+)@")  # alone: a user of a database is none
_QUERY = re.compile(r"[?&]([\w.-]+)=([^&\s'\"#]+)")


def secrets_of(environ: Mapping[str, str]) -> list[str]:
    """Return the values of variables that are called like credentials, and those in addresses: passwords, tokens.

    Example:
        >>> secrets_of({"API_TOKEN": "s3cret-7f", "STORE": "redis://ann:pw-31@db/0", "HOME": "/root"})
        ['s3cret-7f', 'pw-31']
        >>> secrets_of({"MLFLOW_TRACKING_URI": "https://mlflow.example/?token=t-4471"})
        ['t-4471']
    """
    named = [value for name, value in environ.items() if looks_secret(name) and len(value) >= LEAST]
    return list(dict.fromkeys([*named, *(found for value in environ.values() for found in _in_address(value))]))


def without_secrets(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Return a text without the credentials of this process, plain or encoded, and without those in any address.

    Args:
        text: such as the message of an error.
        environ: the variables that hold them; those of this process by default.

    Example:
        >>> without_secrets("403 for https://ann:pw@h/x?sig=1 with s3cret-7f", {"API_KEY": "s3cret-7f"})
        '403 for https://h/x with ***'
    """
    return _access(os.environ if environ is None else environ).redacted(without_user(text))


def forms(environ: Mapping[str, str]) -> list[str]:
    """Return the credentials in variables in each form in which a text may hold them, the longest first.

    Example:
        >>> forms({"API_KEY": "s3cret/7f", "HOME": "/root"})
        ['czNjcmV0Lzdm', 's3cret%2F7f', 's3cret/7f']
    """
    return _access(environ).forms()


def _access(environ: Mapping[str, str]) -> Access:
    return Access(secrets=tuple(secrets_of(environ)))


def _in_address(value: str) -> Iterator[str]:
    if "://" not in value:
        return
    for secret in (*_PASSWORD.findall(value), *_TOKEN.findall(value)):
        yield from dict.fromkeys((secret, unquote(secret)))
    for name, secret in _QUERY.findall(value):
        if looks_secret(name) or name.lower() in ("sig", "signature", "key", "auth"):
            yield from dict.fromkeys((secret, unquote(secret)))

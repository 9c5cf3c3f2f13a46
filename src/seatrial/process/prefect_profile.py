"""The Prefect server that the environment names, else the one of Prefect's active profile; without importing Prefect.

``prefect cloud login`` writes a profile with an address and a key. The address is put into the environment, where
everything else looks for it; the key stays in the profile, where Prefect itself reads it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

URL = "PREFECT_API_URL"
PROFILES = "profiles.toml"
_adopted: dict[str, str] = {}  # address to the name of the profile it came from


def adopt() -> str:
    """Return the address of the Prefect server's API, after putting it into the environment; empty where none is named.

    The environment comes before the profile, as it does in Prefect.

    Example:
        >>> os.environ["PREFECT_API_URL"] = "http://127.0.0.1:4200/api"
        >>> adopt()
        'http://127.0.0.1:4200/api'
    """
    if URL in os.environ:
        return os.environ[URL]
    name, settings = _active()
    url = str(settings.get(URL) or "")
    if url:
        os.environ[URL] = url
        _adopted[url] = name
    return url


def source(url: str) -> str:
    """Return what named an address of Prefect, for messages: the variable, or the profile."""
    return f"Prefect's profile '{_adopted[url]}'" if url in _adopted else URL


def correction(url: str) -> str:
    """Return what to do about an address that is wrong."""
    if url in _adopted:
        return (
            "correct it (prefect config set PREFECT_API_URL=…), or use another profile (prefect profile use ephemeral)"
        )
    return f"correct {URL}, or unset it"


def _active() -> tuple[str, dict[str, Any]]:
    """Return name and settings of the active profile; nothing where there is none, or its file cannot be read."""
    import tomllib  # Python 3.10, where a model may be loaded, has none

    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    file = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / PROFILES).expanduser()
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "", {}
    name, profiles = str(os.environ.get("PREFECT_PROFILE") or content.get("active") or ""), content.get("profiles")
    found = profiles.get(name) if isinstance(profiles, dict) else None
    return name, found if isinstance(found, dict) else {}

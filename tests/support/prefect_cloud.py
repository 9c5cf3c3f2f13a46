"""What Prefect Cloud is to a client, in front of a real Prefect server: a key, and the workspace in the address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.doorman import AUTHORIZATION, before

WORKSPACE = "/accounts/5d9f7b1a-0000-4000-8000-000000000001/workspaces/5d9f7b1a-0000-4000-8000-000000000002"
_REQUEST = re.compile(
    rb"(?P<method>[A-Z]+) /api(?P<workspace>/accounts/[^/ ]+/workspaces/[^/ ]+)?(?P<path>\S*) HTTP/1.1"
)


@dataclass
class Cloud:
    """The stand-in.

    Attributes:
        key: the one that it accepts.
        behind: port of the server.
        port: its own.
        taken: method and path of each request that had the key.
        refused: the same of those without it, or without the workspace.
    """

    key: str
    behind: int
    port: int = 0
    taken: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def url(self) -> str:
        return f"{self.root}{WORKSPACE}"

    def admit(self, head: bytes) -> bytes | None:
        """Note a request, and take key and workspace from it; None where it has not both."""
        asked, key = _REQUEST.match(head), AUTHORIZATION.search(head)
        assert asked, head[:200]
        what = f"{asked['method'].decode()} {asked['path'].decode()}"
        known = bool(key and key[1] == f"Bearer {self.key}".encode()) or asked["path"] == b"/events/out"  # asks later
        if not known or (asked["workspace"] or b"").decode() != WORKSPACE:
            self.refused.append(what)
            return None
        self.taken.append(what)
        line = b"%s /api%s HTTP/1.1" % (asked["method"], asked["path"])
        return line + AUTHORIZATION.sub(b"", head[asked.end() :], count=1)

    def profile(self, key: str) -> str:
        """What ``prefect cloud login`` writes, and which address is Cloud's."""
        settings = {"PREFECT_API_URL": self.url, "PREFECT_API_KEY": key, "PREFECT_CLOUD_API_URL": self.root}
        return "\n".join(
            ['active = "cloud"', "[profiles.cloud]", *(f'{name} = "{value}"' for name, value in settings.items())]
        )


@contextmanager
def cloud(key: str, behind: int) -> Iterator[Cloud]:
    """Run the stand-in for the length of a block."""
    made = Cloud(key, behind)
    with before(behind, made.admit) as made.port:
        yield made

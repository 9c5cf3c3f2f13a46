"""Tell people when a version's verdict changes: an event, an automation on it, and a block with the address.

The event is emitted where the verdict differs from the one before, so that one that fails every night is told once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seatrial.errors import ProjectError, UsageError, unknown
from seatrial.events import Verdict
from seatrial.ledger import Ledger
from seatrial.orchestration.deployments import names
from seatrial.orchestration.prefect_api import client, put_automation
from seatrial.project import Project
from seatrial.sinks.markdown import headline
from seatrial.sinks.text import neutral

CHANGED = "seatrial.verdict.changed"
TEXT = "{{ event.payload.text }}"
SUBJECT = "{{ event.payload.subject }}"
LINE = 500  # characters of the finding's first line


def _webhook(address: str) -> Any:
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    said: dict[str, Any] = {"subject": "{{subject}}", "text": "{{body}}"}
    secret: Any = {"address": address}
    return CustomWebhookNotificationBlock(
        name="seatrial", url="{{address}}", json_data=said, secrets=secret, headers=None, cookies=None
    )


def _slack(address: str) -> Any:
    from prefect.blocks.notifications import SlackWebhook
    from pydantic import SecretStr

    return SlackWebhook(url=SecretStr(address))


def _teams(address: str) -> Any:
    from prefect.blocks.notifications import MicrosoftTeamsWebhook
    from pydantic import SecretStr

    return MicrosoftTeamsWebhook(url=SecretStr(address))


def _email(written: str) -> Any:
    from prefect.blocks.notifications import SendgridEmail
    from pydantic import SecretStr

    key, sender, *recipients = written.split()
    if not recipients:
        raise ValueError("write KEY SENDER RECIPIENT…, with spaces between them")
    return SendgridEmail(api_key=SecretStr(key), sender_email=sender, to_emails=recipients)


KINDS: Mapping[str, Callable[[str], Any]] = {"slack": _slack, "teams": _teams, "webhook": _webhook, "email": _email}


def wanted(words: Sequence[str]) -> dict[str, str]:
    """Return the addresses that ``KIND=VARIABLE`` name, by kind; each is read from its environment variable.

    Raises:
        UsageError: not KIND=VARIABLE, no such kind, or a variable that is not set.
    """
    found = {}
    for word in words:
        kind, _, variable = word.partition("=")
        if kind not in KINDS:
            raise UsageError(unknown("--notify: kind", kind, tuple(KINDS)))
        address = os.environ.get(variable, "") if variable else ""
        if not address:
            raise UsageError(
                f"--notify '{word}': {f'the variable {variable} is not set' if variable else 'no variable is named'}. "
                f"Write --notify {kind}=VARIABLE, where the environment variable holds the address."
            )
        found[kind] = address
    return found


def create(project: Project, addresses: Mapping[str, str]) -> list[str]:
    """Create or update a block and an automation for each address; return the names of the automations.

    Args:
        project: whose verdicts are told.
        addresses: by kind, as :func:`wanted` returns them.

    Raises:
        ProjectError: an address that the kind does not accept; the message does not repeat it.
        TargetError: Prefect does not answer.
    """
    from prefect.events.schemas.automations import AutomationCore

    made = []
    for kind, address in addresses.items():
        name = names.title(project, f"a verdict changed ({kind})")
        with client("create notifications"):
            try:
                block = KINDS[kind](address)
                document = block.save(names.block(project, kind), overwrite=True)
            except (ValueError, TypeError) as error:
                reason = str(error).replace(address, "…").splitlines()[0]
                raise ProjectError(f"--notify {kind}: the address is not one of {kind}: {reason}") from None
        put_automation(AutomationCore.model_validate(_automation(project, name, str(document))))
        made.append(name)
    return made


def _automation(project: Project, name: str, block: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": "Sent once when the verdict of a version becomes another one.",
        "tags": ["seatrial", names.tag(project)],
        "trigger": {
            "type": "event", "posture": "Reactive", "threshold": 1, "within": 0, "expect": [CHANGED],
            "match": {"prefect.resource.id": f"{names.resource(project)}.*"},
        },
        "actions": [{"type": "send-notification", "block_document_id": block, "subject": SUBJECT, "body": TEXT}],
    }  # fmt: skip


def tell_change(project: Project, verdict: Verdict, page: str) -> None:
    """Emit an event if a version's verdict is another than the one before; that it could not be costs no verdict.

    Args:
        project: of the version.
        verdict: as it was committed.
        page: the address of the page that shows the verdict; empty where there is none.
    """
    subject = verdict.subject
    try:
        with Ledger.of(project.state) as ledger:
            stored = [v for v in ledger.verdicts(subject.model, subject.version) if v.created == subject.created]
        before = stored[-2].outcome.value if len(stored) > 1 else ""
        if before != verdict.outcome.value:
            _emit(project, verdict, before, page)
    except Exception as error:  # noqa: BLE001  whatever it was, the verdict is committed
        from prefect import get_run_logger

        get_run_logger().warning("Nobody was told of the verdict: %s", error)


def _emit(project: Project, verdict: Verdict, before: str, page: str) -> None:
    from prefect.events import emit_event

    subject = verdict.subject
    emit_event(
        CHANGED,
        resource={
            "prefect.resource.id": f"{names.resource(project)}.{subject.model}.{subject.version}",
            "prefect.resource.name": f"{subject.model} {subject.version}",
        },
        payload={
            "model": subject.model, "version": subject.version, "outcome": verdict.outcome.value, "before": before,
            "subject": headline(verdict), "text": "\n".join(filter(None, [neutral(verdict.summary, LINE), page])),
            "page": page,
        },
    )  # fmt: skip

"""A service of another shape: hooks of the project or an envelope write its requests and read its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import pandas as pd

from seatrial.errors import AnswerError, PipelineError, SeatrialError, TargetError
from seatrial.events.redaction import redacted
from seatrial.io import frame_json
from seatrial.pipeline import HttpAnswer, HttpRequest, Key, Poll, Service
from seatrial.pipeline.hooks import Hooks
from seatrial.targets.http import Http
from seatrial.targets.messages import Response
from seatrial.targets.probes.base import ProbePlan
from seatrial.targets.probes.records import MAX_VALID, Envelope, plan_of_records
from seatrial.targets.rest import batch_of, keys_of, rows_of, with_keys
from seatrial.targets.shapes.envelope import ONE, NamedEnvelope
from seatrial.targets.shapes.polling import Pending, announced, follow
from seatrial.targets.shapes.probes import probes_of_bytes

Outcome: TypeAlias = Response | TargetError | pd.DataFrame | None
NO_HOOKS = "the hooks of a service run where its pipeline does, and this target has no pipeline"


class Shaped(Http):
    """A service over HTTP whose requests and answers have a declared shape.

    Args:
        url: where one request goes.
        service: declares the shape: ``request``, ``response``, ``envelope``, ``poll_seconds`` and ``batch``.
        hooks: runs the hooks, where there are any.
        key: the columns that name a request.
        prefix: of the service's address, which the paths that a hook writes are joined to.
        options: of :class:`~seatrial.targets.http.Http`, such as ``seconds``, ``access`` and ``pace``.
    """

    def __init__(
        self, url: str, *, service: Service, hooks: Hooks | None = None, key: Key | None = None, prefix: str = "",
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(url, **options)
        self.service, self.hooks, self.key, self.prefix = service, hooks, key, prefix
        if hooks is None and (service.request or service.response):
            raise PipelineError(f"Service(request=…, response=…) cannot be used here: {NO_HOOKS}.")
        self.envelope = NamedEnvelope.of(service.envelope or ONE, key)
        self.path = self.url.raw_path.decode("ascii")
        whole = service.request is None and service.envelope is not None and self.envelope.takes_batches
        self.batch = service.batch or (self.path if whole else None)

    def __enter__(self) -> Shaped:
        super().__enter__()
        return self

    def write(self, batches: Sequence[pd.DataFrame], *, batched: bool = False) -> list[HttpRequest]:
        """Return the request for each batch of rows, with the path where it goes."""
        path = self.batch if batched and self.batch else self.path
        if self.service.request is not None and self.hooks is not None:
            made = self.hooks.write_requests(batches)
        elif self.service.envelope is None:
            headers = {"accept": "application/json"}
            several = [batched or len(rows) > 1 for rows in batches]
            texts = [frame_json.payloads(rows) for rows in batches]
            whole = zip(texts, several, strict=True)
            bodies = [batch_of(t) if s else t[0].encode("utf-8", "surrogatepass") for t, s in whole]
            made = [HttpRequest(body, "application/json", headers=headers) for body in bodies]
        else:
            made = [self.envelope.write(rows) for rows in batches]
        return [replace(m, path=f"{self.prefix}{m.path}" if m.path else path) for m in made]

    def exchange(self, requests: pd.DataFrame, size: int = 1) -> list[Outcome]:
        """Send every request, ``size`` of them in one message, and return what became of each message, in order."""
        parts = [requests.iloc[at : at + size] for at in range(0, len(requests), size)]
        return self._exchanged(parts, [len(part) for part in parts], batched=size > 1)

    def exchange_together(self, requests: Sequence[pd.DataFrame]) -> list[Outcome]:
        """Send every request, of several rows each, and return what became of each, in order."""
        return self._exchanged(requests, [1] * len(requests))

    def step(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Send every row and return the answers, one row each, in order.

        Raises:
            TargetError: a request was not answered, or with another status than success.
        """
        answers = rows_of(self.exchange(frame))
        if len(answers) != len(frame):
            raise AnswerError(f"The service gave {len(answers):,} answers to {len(frame):,} rows.")
        return frame_json.read(with_keys(answers, keys_of(frame, self.key), self.key), pd.DataFrame())

    def probe_plan(self, requests: pd.DataFrame) -> ProbePlan:
        """Return the contract check's requests: JSON records in their envelope, or the bytes that the hook writes."""
        around = None if self.service.request is not None else self.envelope.around_record
        if around is not None:
            plan = plan_of_records(self.path, self.envelope.inputs(requests), Envelope(*around))
            return replace(plan, settle=self.settled, read=self.rows_in)
        some = [requests.iloc[[n]] for n in range(min(MAX_VALID, len(requests)))]
        valid = self.write(some)
        if not valid or any(m.method != "POST" for m in valid):
            return ProbePlan(self.path, [], lambda *_: [])
        first = valid[0]

        def message(body: bytes, content_type: str) -> HttpRequest:
            kind = next((m.content_type for m in valid if m.body == body), content_type)
            return HttpRequest(body, kind, first.path, first.method, first.headers)

        return ProbePlan(
            first.path or self.path, [m.body for m in valid], lambda at, _: probes_of_bytes(valid[at]),
            content_type=first.content_type, message=message, settle=self.settled, read=self.rows_in,
        )  # fmt: skip

    def rows_in(self, response: Response) -> Any:
        """Return the answers in a response as JSON values; AnswerError where they cannot be read."""
        if self.service.response is None and self.service.envelope is None:
            return response.json()
        [found] = self._answers_in([Pending(0, response)], [1])
        if isinstance(found, TargetError):
            raise found
        return frame_json.rows(found) if isinstance(found, pd.DataFrame) else None

    def read(self, responses: Sequence[Response]) -> list[Outcome]:
        """Return what each response to a request of one row holds, an error in its place; nothing is fetched later."""
        found = self._answers_in([Pending(n, each) for n, each in enumerate(responses)], [1] * len(responses))
        later = AnswerError("The response is no answer: it asks to wait for one.")
        return [later if isinstance(each, Poll) else each for each in found]

    def settled(self, responses: Sequence[Response | TargetError | None]) -> list[Response | TargetError | None]:
        """Return the last response to each request: what stands at the address where its answer is fetched."""
        counts = [1] * len(responses)
        return follow(self, responses, lambda pending: self._answers_in(pending, counts))[1]

    def _exchanged(
        self, parts: Sequence[pd.DataFrame], counts: Sequence[int], *, batched: bool = False
    ) -> list[Outcome]:
        if not parts:
            return []
        responses = self.send_all(self.write(parts, batched=batched))
        return follow(self, responses, lambda pending: self._answers_in(pending, counts))[0]

    def _for_hook(self, response: Response, polls: int) -> HttpAnswer:
        """Return an answer as the project's code gets it: without the credentials that the service may repeat."""
        answer = HttpAnswer(response.status, response.headers, response.body, polls)
        return redacted(answer, forms) if (forms := self.access.forms()) else answer

    def _answers_in(self, pending: Sequence[Pending], counts: Sequence[int]) -> list[Any]:
        """Return what each response holds: rows, the response itself where it is JSON as usual, or a poll."""
        service = self.service
        found: list[Any] = [each.response for each in pending]
        hooked: dict[int, HttpAnswer] = {}
        for n, each in enumerate(pending):
            response = each.response
            try:
                later = None if service.poll_seconds is None else announced(each, service.poll_seconds)
                if later is not None:
                    found[n] = later
                elif not isinstance(response, Response) or not response.ok:
                    continue
                elif service.response is not None:
                    hooked[n] = self._for_hook(response, each.polls)
                elif service.envelope is not None:
                    found[n] = self.envelope.read(response.body, counts[each.place])
            except AnswerError as error:
                found[n] = error
        if hooked and self.hooks is not None:
            for n, read in zip(hooked, self.hooks.read_answers(list(hooked.values())), strict=True):
                found[n] = AnswerError(str(read)) if isinstance(read, SeatrialError) else read
        return found

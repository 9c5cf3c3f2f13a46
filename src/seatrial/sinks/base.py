"""The protocol of a sink: it receives events as they come, and the verdict at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path

from seatrial import plugins
from seatrial.errors import UsageError
from seatrial.events import Case, Event, Verdict
from seatrial.sinks.links import Link


class Sink:
    """A receiver of events and of the verdict. Subclass it and override the methods you need.

    A sink that raises receives nothing more; the verdict carries a warning, and its outcome is unaffected.
    An extension registers a class that is made with the path of its file as an entry point of the group
    ``seatrial.sinks``; users select it with ``--sink NAME=FILE``.

    Example:
        >>> class OneLine(Sink):
        ...     def __init__(self, path):
        ...         self.path = path
        ...
        ...     def verdict(self, verdict):
        ...         self.path.write_text(verdict.summary)
    """

    def planned(self, cases: Sequence[Case]) -> None:
        """Receive, before the first event, the cases that will run."""

    def started(self, what: str) -> None:
        """Receive what begins now: a case, or the validation of one of several versions."""

    def note(self, text: str) -> None:
        """Receive how the validation of one of several versions ended, as a sentence."""

    def event(self, event: Event) -> None:
        """Receive one event."""

    def progress(self, done: int, of: int, what: str) -> None:
        """Receive how far a long case is: the steps done, the steps in all, and the next step."""

    def verdict(self, verdict: Verdict) -> None:
        """Receive the verdict, after the last event."""

    def results(self, directory: Path) -> None:
        """Receive the folder with the files of the verdict, before the verdict itself."""

    def links(self, links: Sequence[Link]) -> None:
        """Receive the pages of other programs that show the verdict, before the verdict itself."""


SinkFactory = Callable[[Path], Sink]
"""Makes the sink that writes to a path."""

LISTENERS: ContextVar[tuple[Sink, ...]] = ContextVar("seatrial_listeners", default=())
"""The sinks of the code that started a flow in this process; the flow sends them what it sends its own."""


def make_sink(name: str, path: Path) -> Sink:
    """Return the sink of that name, writing to ``path``.

    Raises:
        UsageError: no installed package has it, with the nearest name; or what it has is no sink.

    Example:
        >>> type(make_sink("junit", Path("junit.xml"))).__name__
        'JUnitReport'
    """
    made = plugins.load("sinks", name)(path)
    if not isinstance(made, Sink):
        raise plugins.misfit("sinks", name, "a class derived from seatrial.Sink", made)
    return made


def requested(words: Iterable[str]) -> list[Guarded]:
    """Return the sinks that ``--sink NAME=FILE`` names; a file is relative to the current directory.

    Raises:
        UsageError: not NAME=FILE, no such sink, or a file that is a directory.
    """
    made = []
    for each in words:
        name, _, file = each.partition("=")
        if not name or not file:
            known = ", ".join(plugins.names("sinks"))
            raise UsageError(f"--sink '{each}' is not NAME=FILE, such as --sink junit=junit.xml. Sinks: {known}.")
        path = Path(file).absolute()
        if path.is_dir():
            raise UsageError(f"--sink '{each}': {path} is a directory. Name a file in it.")
        made.append(Guarded(name, make_sink(name, path)))
    return made


class Guarded(Sink):
    """A sink that cannot stop a run: after its first error it receives nothing more, and the error is stored.

    Attributes:
        name: of the sink.
        inner: the sink.
        failure: what went wrong, a sentence; empty where nothing did.
    """

    def __init__(self, name: str, sink: Sink) -> None:
        self.name, self.failure = name, ""
        self.inner = sink

    def planned(self, cases: Sequence[Case]) -> None:
        """Pass the cases on."""
        self._pass_on(lambda: self.inner.planned(cases))

    def started(self, what: str) -> None:
        """Pass it on."""
        self._pass_on(lambda: self.inner.started(what))

    def note(self, text: str) -> None:
        """Pass it on."""
        self._pass_on(lambda: self.inner.note(text))

    def event(self, event: Event) -> None:
        """Pass the event on."""
        self._pass_on(lambda: self.inner.event(event))

    def progress(self, done: int, of: int, what: str) -> None:
        """Pass the progress on."""
        self._pass_on(lambda: self.inner.progress(done, of, what))

    def verdict(self, verdict: Verdict) -> None:
        """Pass the verdict on."""
        self._pass_on(lambda: self.inner.verdict(verdict))

    def results(self, directory: Path) -> None:
        """Pass the folder on."""
        self._pass_on(lambda: self.inner.results(directory))

    def links(self, links: Sequence[Link]) -> None:
        """Pass the links on."""
        self._pass_on(lambda: self.inner.links(links))

    def _pass_on(self, call: Callable[[], None]) -> None:
        if self.failure:
            return
        try:
            call()
        except Exception as error:  # noqa: BLE001  a sink may raise anything
            self.failure = (
                f"Sink '{self.name}' raised {type(error).__name__}: {error}; its output is incomplete. "
                "The verdict is unaffected."
            )

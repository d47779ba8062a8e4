"""Turns Ctrl-C, SIGTERM and SIGHUP into one orderly stop, however often they arrive."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The launcher was asked to stop; not an Exception, so that no step swallows it."""

    def __init__(self, number: int) -> None:
        """Remember which signal asked."""
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interruption:
    """Raises `Interrupted` once; a second Ctrl-C must not cut the stopping short."""

    def __init__(self) -> None:
        """Start without any request."""
        self.received: int | None = None
        self._raised = False
        self._holds = 0
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "Interruption":
        """Take over the stop signals."""
        for number in STOP_SIGNALS:
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Postpone the interruption: a child just started must first be on the roster."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
        self._raise_if_due()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.received = self.received or number
        self._raise_if_due()

    def _raise_if_due(self) -> None:
        if self.received is not None and not self._raised and not self._holds:
            self._raised = True
            raise Interrupted(self.received)

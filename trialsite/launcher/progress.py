"""One line per step, with the seconds it took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

TITLE_WIDTH = 52


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print the title when the step begins and the seconds when it ends."""
    begun = time.monotonic()
    _write(f"  {title} ".ljust(TITLE_WIDTH, "."))
    try:
        yield
    except BaseException:
        _write(f" stopped after {time.monotonic() - begun:.1f} s\n")
        raise
    _write(f" {time.monotonic() - begun:5.1f} s\n")


def say(text: str) -> None:
    """Print a line for the person at the keyboard."""
    _write(f"{text}\n")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()

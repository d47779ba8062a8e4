"""Ports for servers that tests start."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress

#: Below those that the system gives to whoever connects somewhere: nobody is given one of these
#: between the look at it and the start of its server. Each process begins elsewhere.
_FIRST, _MANY = 20_000, 12_000
_numbers = itertools.count(os.getpid() * 37)


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    while True:
        port = _FIRST + next(_numbers) % _MANY
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port

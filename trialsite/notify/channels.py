"""The ways out: each takes a letter and says what became of it.

A channel is chosen by whoever runs the product, never by what somebody typed (trust IH4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from trialsite.notify.models import By, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What leaves the house: one text for one person, the same by every channel."""

    message_id: str
    kind: str
    urgent: bool
    language: str
    to: str
    subject: str
    body: str


class AwayError(Exception):
    """The server cannot be reached: it concerns every letter, not this one."""


class Post(Protocol):
    """One open channel, for the letters of a batch."""

    def send(self, letter: Letter) -> tuple[Outcome, str]:
        """What came of it, and the server's words; raises AwayError before anything is sent."""

    def close(self) -> None:
        """Let the connection go."""


class Channel(Protocol):
    """One way out of the house."""

    name: By

    def is_on(self) -> bool:
        """Whether the operator has configured it."""

    def open(self) -> Post:
        """Make ready to send a batch."""


_channels: dict[By, Channel] = {}


def register_channel(channel: Channel) -> None:
    """Called from `AppConfig.ready`, mail first."""
    if channel.name in _channels:
        raise ValueError(f"channel is taken: {channel.name}")
    _channels[channel.name] = channel


def channels_on() -> dict[By, Channel]:
    """The channels by which notices leave now, in the order of registration."""
    return {name: channel for name, channel in _channels.items() if channel.is_on()}

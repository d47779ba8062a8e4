"""One participant of the demonstration, and who enters what befalls them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from trialsite.access.context import context_of
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.clock import trial_today
from trialsite.core.context import Channel, acting
from trialsite.crf.entry import read_texts
from trialsite.crf.models import CrfData
from trialsite.crf.services import save_crf


@dataclass(frozen=True, slots=True)
class One:
    """A participant, the nurse, and everybody else who may be called."""

    subject: Subject
    nurse: User
    people: Mapping[str, User]

    @property
    def zone(self) -> str:
        return self.subject.site.time_zone

    @contextmanager
    def entering(self, login: str = "") -> Iterator[dt.date]:
        """The nurse at work now, or whoever is called; the day it is."""
        who = self.people[login] if login else self.nurse
        with acting(context_of(who, Channel.COMMAND)):
            yield trial_today(self.zone)

    def save(self, record: CrfRecord, table: type[CrfData], texts: Mapping[str, str]) -> None:
        """Complete a form of the participant."""
        record.refresh_from_db()
        save_crf(
            record=record,
            entry=read_texts(table, texts),
            by=self.nurse,
            base_version=record.version,
            complete=True,
        )


@dataclass(frozen=True, slots=True)
class Befalls:
    """What befalls somebody: the day, counted from day zero, the hour, and what is entered."""

    day: int
    hour: int
    act: Callable[[One], None]

"""Who and what the demonstration study consists of while it is made."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field

from trialsite.access.context import context_of
from trialsite.access.models import Site, User
from trialsite.casebook.models import Subject
from trialsite.core.context import Channel, acting
from trialsite.demo.one import One
from trialsite.demo.persons import Person
from trialsite.demo.samples import Bench
from trialsite.demo.treatment import Team

SEED = 6904755


@dataclass(slots=True)
class Study:
    """Sites, people, and who became a subject so far."""

    sites: dict[str, Site]
    people: dict[str, User]
    #: The subjects of the story, by the names that it gives them.
    subjects: dict[str, uuid.UUID] = field(default_factory=dict)
    #: The site's bench, once the freezer has come.
    benches: dict[str, Bench] = field(default_factory=dict)

    def chance(self, key: str) -> random.Random:
        """What is left to chance in one person's story: the same on every day and machine."""
        return random.Random(f"{SEED} {key}")  # noqa: S311  (a demonstration is repeatable)

    def investigator(self, site: str) -> User:
        """Who decides on eligibility there."""
        return self.people["subi" if site == "001" else "pi"]

    def team(self, person: Person) -> Team:
        """Who treats this person."""
        second = {"nurse": "nurse2", "nurse2": "nurse"}.get(person.nurse, "pi")
        return Team(
            nurse=self.people[person.nurse],
            second=self.people[second],
            physician=self.investigator(person.site),
        )

    def one(self, person: Person) -> One:
        """The participant of this story, and who enters what befalls them."""
        nurse = self.people[person.nurse]
        with acting(context_of(nurse, Channel.COMMAND)):
            subject = Subject.objects.select_related("site").get(pk=self.subjects[person.key])
        return One(subject, nurse, self.people)

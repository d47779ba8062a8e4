"""Persons who do not exist, the same ones each time, whose traces can be searched for."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass

from screening.models import ScreeningEntry
from screening.services.identity import ask_for_identity, keep_identity, reveal_identity
from tests.factories import Cast, as_person, make_entry
from trialsite.access.models import User

_SURNAMES = ["欧阳", "司徒", "尉迟", "令狐", "淳于", "濮阳", "皇甫", "澹台", "公冶", "宗政"]
_GIVEN = ["皓轩", "懿萱", "梓瀚", "芷蕙", "煜祺", "黛眉", "骁骏", "琬琰", "翊宸", "缦笙"]
_SYLLABLES = ["brun", "hild", "quel", "malz", "zor", "vik", "trem", "puk", "jaf", "nox"]


@dataclass(frozen=True)
class Person:
    name: str
    phone: str
    hospital_number: str

    @property
    def said(self) -> dict[str, str]:
        return {
            "name": self.name,
            "phone": self.phone,
            "hospital_number": self.hospital_number,
        }

    @property
    def traces(self) -> list[str]:
        """What would betray the person, also where a program has escaped it."""
        return [form for text in self.said.values() for form in {text, json.dumps(text)[1:-1]}]


def persons(count: int = 200, seed: int = 20260101) -> list[Person]:
    """Half with Chinese, half with Latin names; no two alike in anything."""
    draw = random.Random(seed)
    names = [f"{surname}{given}" for surname in _SURNAMES for given in _GIVEN]
    names += [f"{one}{two} {two}{one}son".title() for one in _SYLLABLES for two in _SYLLABLES]
    draw.shuffle(names)
    return [
        Person(name, f"13{draw.randrange(10**9):09d}", f"ZY{draw.randrange(10**8):08d}")
        for name in names[:count]
    ]


def keep(cast: Cast, person: Person, **more: object) -> ScreeningEntry:
    """An entry of site 001 with this person's identifiers."""
    entry = make_entry(cast.site, cast.nurse)
    with as_person(cast.nurse):
        keep_identity(
            entry_id=entry.pk,
            site=cast.site,
            by=cast.nurse,
            **person.said,
            **more,  # type: ignore[arg-type]
        )
    return entry


def told(entry_id: uuid.UUID, by: User, reason: str = "call back") -> dict[str, str]:
    """The identifiers as the person sees them; two transactions, as on the pages."""
    with as_person(by):
        asked = ask_for_identity(entry_id=entry_id, reason=reason, by=by)
    with as_person(by):
        revealed = reveal_identity(disclosure=asked, by=by)
    return {name: each.text for name, each in revealed.standing.items()}

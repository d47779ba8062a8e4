"""The people of the demonstration: invented, one for each role, with printed second factors.

Password and TOTP secrets are derived from this installation's own secret key, so no two
installations share them and none stands in the code.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.conf import settings

from trialsite.access.capabilities import Role
from trialsite.access.models import Membership, Site, Training, User


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """One invented person; without a site, the role is study-wide."""

    login: str
    name: str
    role: Role
    site: str | None = None
    language: str = "en"

    @property
    def email(self) -> str:
        return f"{self.login}@demo.example"


PEOPLE = (
    DemoPerson("nurse", "林护士（示例）", Role.RESEARCH_NURSE, "001", "zh-hans"),
    DemoPerson("nurse2", "Noor Nurse (demo)", Role.RESEARCH_NURSE, "001"),
    DemoPerson("nurse-b", "Bo Nurse (demo)", Role.RESEARCH_NURSE, "002"),
    DemoPerson("nurse-c", "Chen Nurse (demo)", Role.RESEARCH_NURSE, "003"),
    DemoPerson("pi", "Petra Principal (demo)", Role.PRINCIPAL_INVESTIGATOR),
    DemoPerson("subi", "Sun Subinvestigator (demo)", Role.SUB_INVESTIGATOR, "001"),
    DemoPerson("dm", "Dana Datamanager (demo)", Role.DATA_MANAGER),
    DemoPerson("monitor", "Mo Monitor (demo)", Role.MONITOR),
    DemoPerson("safety", "Sana Safety (demo)", Role.SAFETY_OFFICER),
    DemoPerson("tech", "Tariq Technician (demo)", Role.SAMPLE_TECHNICIAN, "001"),
    DemoPerson("auditor", "Aud Auditor (demo)", Role.AUDITOR),
    DemoPerson("sponsor", "Spiro Sponsor (demo)", Role.SPONSOR),
    DemoPerson("admin", "Ada Administrator (demo)", Role.STUDY_ADMINISTRATOR),
)


def _derived(purpose: str) -> bytes:
    return hmac.new(
        settings.SECRET_KEY.encode(), f"demo:{purpose}".encode(), hashlib.sha256
    ).digest()


def password() -> str:
    """The one password of all demonstration accounts of this installation."""
    text = base64.b32encode(_derived("password")).decode().lower()
    return "-".join(text[start : start + 5] for start in range(0, 20, 5))


def totp_secret(person: DemoPerson) -> str:
    """The person's TOTP secret, to be typed into an authenticator app."""
    return base64.b32encode(_derived(f"totp:{person.login}")[:20]).decode()


def code_now(person: DemoPerson) -> str:
    """The six digits that the person's phone shows now."""
    counter = next(iter(yield_hotp_counters_from_time()))
    return str(format_hotp_value(hotp_value(totp_secret(person), counter)))


def make_people(sites: dict[str, Site], *, since: dt.date) -> dict[str, User]:
    """Accounts with role, training and second factor, by login."""
    made = {}
    for person in PEOPLE:
        user = User.objects.create_user(
            person.email, password(), full_name=person.name, language=person.language
        )
        site = sites[person.site] if person.site else None
        Membership.objects.create(user=user, site=site, role=person.role, valid_from=since)
        Training.objects.create(user=user, topic="GCP, Trialsite (SYNTHETIC)", trained_on=since)
        TOTP.activate(user, totp_secret(person))
        RecoveryCodes.activate(user)
        made[person.login] = user
    return made


def exists() -> bool:
    """Whether the demonstration has been made in this database."""
    return bool(Authenticator.objects.filter(user__email=PEOPLE[0].email).exists())

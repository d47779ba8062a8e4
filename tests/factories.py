"""Valid rows by default, made under a named system context; people come with a second factor."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.mfa.utils import decrypt, encrypt
from django.contrib.auth.hashers import make_password
from django.test import Client

from screening.models import ScreeningEntry
from screening.models.log import Source
from screening.services.log import open_entry
from trialsite.access.capabilities import Role
from trialsite.access.context import context_of, system_context
from trialsite.access.models import Membership, Site, Training, User
from trialsite.casebook.models import (
    ClosingCause,
    CrfRecord,
    ProtocolVersion,
    Subject,
    Visit,
    VisitMode,
    VisitStatus,
)
from trialsite.casebook.protocols import approve_version, register_version
from trialsite.core.clock import trial_today
from trialsite.core.context import Channel, acting

F = TypeVar("F", bound=Callable[..., Any])

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


def given(function: F) -> F:
    """Run a factory as the system, for every site."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with acting(system_context("tests", Channel.COMMAND)):
            return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


def waking_zone() -> str:
    """A zone where it is early afternoon now: after the digest's hour, before quiet hours."""
    behind = dt.datetime.now(dt.UTC).hour - 13
    return f"Etc/GMT{behind:+d}" if behind <= 12 else f"Etc/GMT{behind - 24:+d}"


@given
def make_site(code: str | None = None, **fields: Any) -> Site:
    code = code or f"{900 + next(_numbers) % 100:03d}"
    defaults = {"name": f"Site {code}", "time_zone": "Asia/Shanghai"}
    return Site.objects.create(code=code, **(defaults | fields))


PROTOCOL = ROOT / "trialsite/protocol/studies/nct06904755.yaml"


@given
def make_protocol(*sites: Site, path: Path = PROTOCOL) -> ProtocolVersion:
    """The study's protocol, in force at these sites."""
    version = register_version(path)
    for site in sites:
        approve_version(site=site, version=version, effective_on=dt.date(2026, 1, 1))
    return version


@given
def make_subject(site: Site, **fields: Any) -> Subject:
    n = next(_numbers)
    version = fields.pop("protocol_version", None) or make_protocol(site)
    return Subject.objects.create(
        site=site,
        screening_number=fields.pop("screening_number", f"{site.code}-T{n:03d}"),
        protocol_version=version,
        **fields,
    )


@given
def make_entry(site: Site, by: User, **fields: Any) -> ScreeningEntry:
    """A person considered at the site, logged as the nurse does it."""
    on = fields.pop("first_contact_on", None) or trial_today(site.time_zone)
    return open_entry(
        site=site, first_contact_on=on, source=fields.pop("source", Source.WARD), by=by, **fields
    )


#: What each state of a visit must say besides.
_SAID: dict[str, dict[str, Any]] = {
    VisitStatus.OPEN: {"opened_at": dt.datetime(2026, 3, 1, tzinfo=dt.UTC)},
    VisitStatus.ATTENDED: {"mode": VisitMode.ON_SITE},
    VisitStatus.MISSED: {"missed_reason": "No transport"},
    VisitStatus.NOT_REQUIRED: {"not_required_cause": ClosingCause.DEATH},
}


@given
def make_visit(subject: Subject, event_oid: str = "SE.D7", **fields: Any) -> Visit:
    fields = _SAID.get(fields.get("status", ""), {}) | fields
    if fields.get("window") and "target_on" not in fields:
        window = fields["window"]
        fields["target_on"] = window[0] if isinstance(window, tuple) else window.lower
    return Visit.objects.create(
        site_id=subject.site_id,
        subject=subject,
        event_oid=event_oid,
        protocol_version_id=subject.protocol_version_id,
        **fields,
    )


@given
def make_record(
    subject: Subject, form_oid: str = "F.VS", visit: Visit | None = None, **fields: Any
) -> CrfRecord:
    return CrfRecord.objects.create(
        site_id=subject.site_id,
        subject=subject,
        visit=visit,
        form_oid=form_oid,
        protocol_version_id=subject.protocol_version_id,
        **fields,
    )


@given
def make_user(
    role: Role | None = None,
    site: Site | None = None,
    *,
    second_factor: bool = True,
    trained: bool = True,
    **fields: Any,
) -> User:
    n = next(_numbers)
    fields = {"full_name": f"Person {n}", "password": PASSWORD} | fields
    user = User.objects.create_user(fields.pop("email", f"person{n}@example.org"), **fields)
    if role is not None:
        Membership.objects.create(user=user, site=site, role=role, valid_from=dt.date(2026, 1, 1))
    if trained:
        Training.objects.create(user=user, topic="GCP", trained_on=dt.date(2026, 1, 1))
    if second_factor:
        TOTP.activate(user, generate_totp_secret())
    return user


def sign_in(user: User, **defaults: Any) -> Client:
    """A browser in which this person has signed in, second factor included."""
    client = Client(**defaults)
    with acting(system_context("tests", Channel.COMMAND)):
        client.force_login(user)
    return client


def totp_secret(user: User) -> str:
    """The person's TOTP secret, as their phone holds it."""
    authenticator = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
    return decrypt(authenticator.data["secret"])  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Cast:
    """The people every permission test needs: ours, and a stranger from the other site."""

    site: Site
    other_site: Site
    nurse: User
    second_nurse: User
    investigator: User
    sub_investigator: User
    monitor: User
    data_manager: User
    auditor: User
    administrator: User
    stranger: User


#: Name in the cast -> role, site (0 ours, 1 the other, None study-wide), full name.
_CAST: dict[str, tuple[Role, int | None, str]] = {
    "nurse": (Role.RESEARCH_NURSE, 0, "Nora Nurse"),
    "second_nurse": (Role.RESEARCH_NURSE, 0, "Nico Nurse"),
    "investigator": (Role.PRINCIPAL_INVESTIGATOR, None, "Petra Principal"),
    "sub_investigator": (Role.SUB_INVESTIGATOR, 0, ""),
    "monitor": (Role.MONITOR, 0, "Moritz Monitor"),
    "data_manager": (Role.DATA_MANAGER, None, "Dana Data"),
    "auditor": (Role.AUDITOR, None, ""),
    "administrator": (Role.STUDY_ADMINISTRATOR, None, "Ada Administrator"),
    "stranger": (Role.RESEARCH_NURSE, 1, "Stella Stranger"),
}


@functools.cache
def _password() -> str:
    return make_password(PASSWORD)


@given
def make_cast() -> Cast:
    """As `make_user` makes each of them, in one statement for each table: every test has a cast."""
    sites = (make_site("001"), make_site("002"))
    numbered = [(next(_numbers), each) for each in _CAST.values()]
    users = User.objects.bulk_create(
        User(email=f"person{n}@example.org", full_name=name or f"Person {n}", password=_password())
        for n, (_role, _site, name) in numbered
    )
    Membership.objects.bulk_create(
        Membership(
            user=user,
            site=None if site is None else sites[site],
            role=role,
            valid_from=dt.date(2026, 1, 1),
        )
        for user, (role, site, _name) in zip(users, _CAST.values(), strict=True)
    )
    Training.objects.bulk_create(
        Training(user=user, topic="GCP", trained_on=dt.date(2026, 1, 1)) for user in users
    )
    Authenticator.objects.bulk_create(
        Authenticator(
            user=user,
            type=Authenticator.Type.TOTP,
            data={"secret": encrypt(generate_totp_secret())},
        )
        for user in users
    )
    people = dict(zip(_CAST, users, strict=True))
    return Cast(site=sites[0], other_site=sites[1], **people)


def as_person(user: User, **options: Any) -> Any:
    """Act as this person, as a page would."""
    return acting(context_of(user, Channel.UI, **options))

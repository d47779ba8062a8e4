"""What the study administrator does with people and sites. Every act is one transaction,
checked here, audited by the database."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability, Role, are_incompatible
from trialsite.access.credentials import issue_invitation
from trialsite.access.models import (
    Deactivation,
    Membership,
    Site,
    Training,
    User,
    email_key,
)
from trialsite.core.acts import note_act
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError

MANAGE = Capability.MANAGE_PEOPLE


def _require(by: User, site: Site | None) -> None:
    """People are managed at the site, or study-wide by whoever manages the study's."""
    if by.access.study_wide(MANAGE):
        return
    if site is None:
        raise NotPermittedError(_("Study-wide roles are granted study-wide."))
    by.require(MANAGE, site=site)


def _require_person(by: User, user: User) -> None:
    """A site's administrator manages only people all of whose roles are at that site."""
    by.require(MANAGE)
    if by.access.study_wide(MANAGE):
        return
    own = by.access.sites(MANAGE)
    sites = set(user.memberships.filter(ended_on=None).values_list("site_id", flat=True))
    if not sites or not sites <= own:
        raise NotPermittedError(_("This person also works where you do not manage people."))


def add_site(*, by: User, code: str, name: str, time_zone: str, name_zh: str = "") -> Site:
    """Open a site; its code is part of every subject number and never changes."""
    _require(by, None)
    site = Site(code=code, name=name, name_zh=name_zh, time_zone=time_zone)
    site.full_clean()
    site.save()
    return site


def change_site(*, by: User, site: Site, **fields: Any) -> Site:
    """Correct a site's names, time zone or state."""
    _require(by, site)
    allowed = {"name", "name_zh", "time_zone", "active"}
    if not fields.keys() <= allowed:
        raise DomainError(_("A site's code never changes."))
    for name, value in fields.items():
        setattr(site, name, value)
    site.full_clean()
    site.save(update_fields=list(fields))
    return site


def invite_person(
    *,
    by: User,
    full_name: str,
    email: str,
    language: str,
    role: Role,
    site: Site | None,
    valid_from: dt.date,
    valid_until: dt.date | None = None,
) -> tuple[User, str]:
    """A new account without a password, its first role, and the link that opens it."""
    _require(by, site)
    if User.objects.filter(email=email_key(email)).exists():
        raise DomainError(
            _("This address belongs to an account already. One account is one person, for ever.")
        )
    user = User.objects.create_user(email, full_name=full_name, language=language)
    grant_membership(
        by=by, user=user, role=role, site=site, valid_from=valid_from, valid_until=valid_until
    )
    link = issue_invitation(user=user, by=by)
    note_act("invited", site_id=site.pk if site else None, details={"user": user.pk})
    return user, link


def grant_membership(
    *,
    by: User,
    user: User,
    role: Role,
    site: Site | None,
    valid_from: dt.date,
    valid_until: dt.date | None = None,
) -> Membership:
    """Write one line of the delegation log."""
    _require(by, site)
    if user.pk == by.pk:
        raise NotPermittedError(_("Nobody grants a role to themselves."))
    if not user.is_active:
        raise TransitionError(_("This account is deactivated. Reactivate it first."))
    _refuse_incompatible(user, role, valid_from, valid_until)
    _close_lapsed(user, role, site, valid_from)
    try:
        with transaction.atomic():
            return Membership.objects.create(
                user=user, role=role, site=site, valid_from=valid_from,
                valid_until=valid_until, granted_by=by,
            )  # fmt: skip
    except IntegrityError as error:
        raise DomainError(_("This person already has this role here.")) from error


def _refuse_incompatible(user: User, role: Role, first: dt.date, last: dt.date | None) -> None:
    """Segregation of duties, for every day on which both roles would be held."""
    for held in user.memberships.all():
        ends = min(held.valid_until or dt.date.max, held.ended_on or dt.date.max)
        overlap = ends >= first and held.valid_from <= (last or dt.date.max)
        if overlap and are_incompatible(role, Role(held.role)):
            raise DomainError(
                _("“%(new)s” cannot be combined with “%(held)s”.")
                % {"new": role.label, "held": held.get_role_display()}
            )


def _close_lapsed(user: User, role: Role, site: Site | None, first: dt.date) -> None:
    """A line that has run out is ended, so that the same role can be granted anew."""
    lapsed = user.memberships.filter(role=role, site=site, ended_on=None, valid_until__lt=first)
    for line in lapsed:
        assert line.valid_until is not None
        line.ended_on = line.valid_until + dt.timedelta(days=1)
        line.save(update_fields=["ended_on"])


def end_membership(
    *, by: User, membership: Membership, ended_on: dt.date, reason: str
) -> Membership:
    """End a line of the delegation log; the line itself stays as it was."""
    _require(by, membership.site)
    if membership.ended_on is not None:
        raise TransitionError(_("This role has been ended already."))
    if ended_on < membership.valid_from or ended_on < dt.datetime.now(dt.UTC).date():
        raise DomainError(_("A role ends today or later, and not before it began."))
    if membership.user_id == by.pk:
        raise NotPermittedError(_("Nobody ends their own role; ask another administrator."))
    with because(reason):
        membership.ended_on = ended_on
        membership.save(update_fields=["ended_on"])
    return membership


def record_training(*, by: User, user: User, topic: str, trained_on: dt.date) -> Training:
    """Write one line of the training log, on somebody's word."""
    _require_person(by, user)
    if user.pk == by.pk:
        raise NotPermittedError(_("Nobody records their own training."))
    return Training.objects.create(user=user, topic=topic, trained_on=trained_on, recorded_by=by)


def deactivate_person(*, by: User, user: User, reason: str) -> User:
    """Switch an account off; its open sessions end with their next request."""
    _require_person(by, user)
    if user.pk == by.pk:
        raise NotPermittedError(_("Nobody deactivates themselves; ask another administrator."))
    if not user.is_active:
        raise TransitionError(_("This account is deactivated already."))
    now = timezone.now()
    with because(reason):
        Deactivation.objects.create(user=user, reason=reason, started_at=now)
        user.is_active, user.deactivated_at = False, now
        user.save(update_fields=["is_active", "deactivated_at"])
    note_act("deactivated", details={"user": user.pk})
    return user


def reactivate_person(*, by: User, user: User, reason: str) -> str:
    """Switch an account on again: with a new invitation, so that no old session revives."""
    _require_person(by, user)
    if user.is_active:
        raise TransitionError(_("This account is active."))
    with because(reason):
        user.deactivations.filter(ended_at=None).update(ended_at=timezone.now())
        user.is_active, user.deactivated_at = True, None
        user.save(update_fields=["is_active", "deactivated_at"])
        link = issue_invitation(user=user, by=by, reason=reason)
    note_act("reactivated", details={"user": user.pk})
    return link


def invite_again(*, by: User, user: User, reason: str) -> str:
    """A new link for a person whose invitation ran out, or who lost every factor.

    Password and second factors are forgotten and all sessions end: whoever asks for this
    in another's name gains nothing but a mail to the right person.
    """
    _require_person(by, user)
    if user.pk == by.pk:
        raise NotPermittedError(_("Nobody resets their own sign-in; ask another administrator."))
    if not user.is_active:
        raise TransitionError(_("This account is deactivated. Reactivate it first."))
    with because(reason):
        link = issue_invitation(user=user, by=by, reason=reason)
    note_act("invited_again", details={"user": user.pk})
    return link


def create_first_administrator(*, email: str, full_name: str, language: str) -> str:
    """The person who invites all others; only into a study that has no administrator."""
    if administrators().exists():
        raise TransitionError(_("This study has an administrator already."))
    user = User.objects.create_user(email, full_name=full_name, language=language)
    Membership.objects.create(
        user=user,
        role=Role.STUDY_ADMINISTRATOR,
        valid_from=dt.datetime.now(dt.UTC).date(),
    )
    note_act("invited", details={"user": user.pk})
    return issue_invitation(user=user, by=None)


def invite_administrator_again(*, email: str, reason: str) -> str:
    """A new link for an administrator whom no other administrator can help.

    Only whoever operates the server can do this, and the trail says so: without it a study
    whose one administrator lost phone and codes would have nobody who invites for ever.
    """
    user = administrators().filter(email=email_key(email)).first()
    if user is None:
        raise TransitionError(_("No administrator of the whole study has this address."))
    with because(reason):
        link = issue_invitation(user=user, by=None, reason=reason)
        note_act("invited_again", details={"user": user.pk})
    return link


def administrators() -> Any:
    """Active study-wide administrators of today."""
    today = dt.datetime.now(dt.UTC).date()
    held = Membership.objects.on(today).filter(role=Role.STUDY_ADMINISTRATOR, site=None)
    return User.objects.filter(is_active=True, memberships__in=held)

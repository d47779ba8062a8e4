"""People, sites and who may do what where.

One account is one person: it is deactivated, never deleted, and its address is never
given to anybody else. A membership is one line of a delegation log; it is ended, never
edited, so that the access of any past day can be told.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
import zoneinfo
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from django.apps import apps
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.crypto import salted_hmac
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability, Role, roles_granting
from trialsite.core.exceptions import NotPermittedError
from trialsite.core.guards import guarded

M = TypeVar("M", bound=models.Model)


def validate_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("This is no IANA time zone, such as Asia/Shanghai."))


@guarded()
class Site(models.Model):
    """A trial site: the institution whose staff enrol and treat subjects (ODM Location)."""

    code = models.CharField(_("Code"), max_length=3, unique=True)
    name = models.CharField(_("Name"), max_length=200)
    name_zh = models.CharField(_("Name in Chinese"), max_length=200, blank=True)
    time_zone = models.CharField(_("Time zone"), max_length=64, validators=[validate_time_zone])
    active = models.BooleanField(_("Active"), default=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["code"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(code__regex=r"^[0-9]{3}$"),
                name="site_code_is_three_digits",
                violation_error_message=_("A site code has three digits, such as 001."),
            ),
        ]

    def __str__(self) -> str:
        """Code and name, in Chinese where that is read and there is one."""
        chinese = (get_language() or "").startswith("zh")
        return f"{self.code} {(chinese and self.name_zh) or self.name}"


def email_key(address: str) -> str:
    """The form in which two addresses are the same person's: NFKC, case-folded, trimmed."""
    return unicodedata.normalize("NFKC", address).strip().casefold()


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A new person; without a password nobody can sign in until the invitation is taken."""
        user = self.model(email=email_key(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=email_key(username or ""))


@guarded(secret=("password",))
class User(AbstractBaseUser):
    """One person's account."""

    email = models.EmailField(_("E-mail"), unique=True)
    full_name = models.CharField(_("Name"), max_length=150)
    language = models.CharField(
        _("Language"), max_length=10, choices=settings.LANGUAGES, default="en"
    )
    is_active = models.BooleanField(_("Active"), default=True)
    deactivated_at = models.DateTimeField(_("Deactivated"), null=True, blank=True)
    created_at = models.DateTimeField(_("Created"), auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["full_name"]

    class Meta:
        ordering: ClassVar[list[str]] = ["full_name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(is_active=True, deactivated_at=None)
                | Q(is_active=False, deactivated_at__isnull=False),
                name="user_deactivated_iff_dated",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name

    @cached_property
    def has_second_factor(self) -> bool:
        """Whether an authenticator app or a passkey is enrolled; recovery codes are no factor."""
        factors = apps.get_model("mfa", "Authenticator")._default_manager.filter(user=self)
        return bool(factors.exclude(type="recovery_codes").exists())

    def get_session_auth_hash(self) -> str:
        """What a session is bound to: it ends when the password changes, and when the first
        second factor comes or the last one goes, whoever else held it."""
        return self._session_hash(settings.SECRET_KEY)

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._session_hash(str(secret))

    def _session_hash(self, secret: str) -> str:
        state = f"{self.password}|{self.has_second_factor}"
        return salted_hmac(
            "trialsite.access.session", state, secret=secret, algorithm="sha256"
        ).hexdigest()

    @cached_property
    def access(self) -> Access:
        """What this person may do where, today; read once for each request."""
        return access_of(self)

    def can(self, capability: Capability, *, site: Site | int | None = None) -> bool:
        """Whether the capability is delegated at the site, or anywhere when none is named."""
        sites = self.access.sites(capability)
        if site is None:
            return bool(sites) or self.access.study_wide(capability)
        return (site if isinstance(site, int) else site.pk) in sites

    def require(self, capability: Capability, *, site: Site | int | None = None) -> None:
        if not self.can(capability, site=site):
            raise NotPermittedError(
                _("“%(act)s” is not delegated to you here.") % {"act": capability.label}
            )

    def require_study_wide(self, capability: Capability) -> None:
        """The act concerns the whole study: the role must be held for all of it (P1)."""
        if not self.access.study_wide(capability):
            raise NotPermittedError(
                _("“%(act)s” for the whole study is not delegated to you.")
                % {"act": capability.label}
            )


class MembershipQuerySet(models.QuerySet["Membership"]):
    def on(self, date: dt.date) -> MembershipQuerySet:
        """Memberships in force on a date, both ends included, not ended before."""
        return self.filter(
            Q(valid_until=None) | Q(valid_until__gte=date), valid_from__lte=date
        ).filter(Q(ended_on=None) | Q(ended_on__gt=date))


@guarded(site="site_id", unscoped="it decides which sites a person's context holds")
class Membership(models.Model):
    """One line of the delegation log: this person has this role here, from then on."""

    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    site = models.ForeignKey(
        Site,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="memberships",
        help_text=_("Empty: every site of the study."),
    )
    role = models.CharField(_("Role"), max_length=30, choices=Role)
    valid_from = models.DateField(_("From"))
    valid_until = models.DateField(_("Until"), null=True, blank=True)
    ended_on = models.DateField(_("Ended"), null=True, blank=True)
    granted_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="memberships_granted"
    )

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["valid_from", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
                name="membership_ends_after_it_starts",
                violation_error_message=_("The last day is before the first."),
            ),
            models.CheckConstraint(
                condition=Q(granted_by=None) | ~Q(granted_by=F("user")),
                name="membership_not_granted_to_oneself",
                violation_error_message=_("Nobody grants a role to themselves."),
            ),
            models.UniqueConstraint(
                fields=["user", "site", "role"],
                condition=Q(ended_on=None),
                nulls_distinct=False,
                name="membership_once",
                violation_error_message=_("This person already has this role here."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.role}"


@guarded()
class Training(models.Model):
    """One line of the training log: what a person was trained in, when, by whose word."""

    user = models.ForeignKey(User, models.PROTECT, related_name="trainings")
    topic = models.CharField(_("Topic"), max_length=200)
    trained_on = models.DateField(_("Trained on"))
    recorded_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="trainings_recorded"
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["trained_on", "id"]

    def __str__(self) -> str:
        return f"{self.user}: {self.topic}"


@dataclass(frozen=True, slots=True)
class Access:
    """A person's memberships of today, expanded to sites."""

    memberships: tuple[tuple[int | None, Role], ...]
    all_sites: frozenset[int]
    trained: bool

    def sites(self, capability: Capability | None = None) -> frozenset[int]:
        """The sites where a capability (or any role) is delegated."""
        roles = None if capability is None else roles_granting(capability)
        if capability in NEEDS_TRAINING and not self.trained:
            return frozenset()
        found: set[int] = set()
        for site, role in self.memberships:
            if roles is None or role in roles:
                found |= self.all_sites if site is None else {site}
        return frozenset(found)

    def study_wide(self, capability: Capability) -> bool:
        """Whether the capability is delegated for the study as a whole."""
        roles = roles_granting(capability)
        return any(site is None and role in roles for site, role in self.memberships)

    def narrowed(self, *, site: int | None = None, role: Role | None = None) -> Access:
        """The same, for no more than one site and one role where these are named."""
        kept = tuple(
            (at if site is None else site, held)
            for at, held in self.memberships
            if role in (None, held) and (site is None or at in (None, site))
        )
        return Access(kept, self.all_sites, self.trained)

    def roles(self, site: int | None = None) -> tuple[Role, ...]:
        """The roles held at a site (or anywhere), in the order of `Role`."""
        held = {role for at, role in self.memberships if site is None or at in (None, site)}
        return tuple(role for role in Role if role in held)


#: ICH E6(R3) 2.3.2, trust AV5: nobody enters data before their training is recorded.
NEEDS_TRAINING = frozenset(
    {
        Capability.ENTER_DATA,
        Capability.ADD_SUBJECT,
        Capability.MANAGE_PRODUCT,
        Capability.REPORT_SAE,
        Capability.HANDLE_SAMPLES,
        Capability.MANAGE_STORAGE,
        Capability.SHIP_SAMPLES,
    }
)


def access_of(user: User, *, on: dt.date | None = None) -> Access:
    """What a person may do where on a date (default: today, UTC)."""
    date = on or dt.datetime.now(dt.UTC).date()
    if not user.is_active:
        return Access((), frozenset(), trained=False)
    memberships = tuple(
        (site, Role(role))
        for site, role in user.memberships.on(date).values_list("site_id", "role")
    )
    sites = frozenset(Site.objects.values_list("pk", flat=True)) if memberships else frozenset()
    trained = not settings.TRAINING_REQUIRED or user.trainings.filter(trained_on__lte=date).exists()
    return Access(memberships, sites, trained)


class SiteScopedQuerySet(models.QuerySet[M]):
    """Rows belonging to a site. Anything that serves a person starts with `visible_to`;
    the database's row-level security stands behind it."""

    def visible_to(
        self, user: User | AnonymousUser, capability: Capability = Capability.VIEW_CASEBOOK
    ) -> SiteScopedQuerySet[M]:
        if isinstance(user, AnonymousUser) or not user.is_active:
            return self.none()
        return self.at(user.access.sites(capability))

    def at(self, sites: Iterable[int]) -> SiteScopedQuerySet[M]:
        """Rows of these sites."""
        return self.filter(site_id__in=list(sites))


class StudyScopedQuerySet(SiteScopedQuerySet[M]):
    """The same for rows of which some concern the whole study: those have no site."""

    def at(self, sites: Iterable[int]) -> SiteScopedQuerySet[M]:
        """Rows of these sites, and those of the whole study for whoever has any site."""
        own = list(sites)
        return self.filter(Q(site_id__in=own) | Q(site_id=None)) if own else self.none()

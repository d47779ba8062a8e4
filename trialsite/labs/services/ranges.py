"""Keeping the register of laboratories and of their dated reference ranges."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from django.db import DatabaseError, IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateRange
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.crf.violations import ImpossibleError, refusal_of
from trialsite.labs.codes import Sex
from trialsite.labs.models import Laboratory, ReferenceRange
from trialsite.labs.names import present_labs
from trialsite.labs.selectors import analyte_of

_LAB_FIELDS = ("code", "name", "name_zh", "creatinine_method", "pt_reagent", "active")
_EXCLUDED, _DUPLICATE = "23P01", "23505"


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeValues:
    """A reference range as stated: of what, for whom, between which limits."""

    analyte: str
    unit: str
    low: Decimal | None = None
    high: Decimal | None = None
    sex: str = Sex.ALL
    age_from: int = 0
    age_below: int | None = None


@transaction.atomic
def keep_laboratory(
    *, site: Site, by: User, laboratory: Laboratory | None = None, **fields: object
) -> Laboratory:
    """Enter a laboratory into the register of a site, or change what is said of it.

    `fields`: code, name, name_zh, creatinine_method, pt_reagent, active.
    """
    by.require(Capability.MANAGE_LABS, site=site.pk)
    if laboratory is None:
        found = Laboratory(site=site)
    else:
        found = Laboratory.objects.select_for_update(no_key=True).get(pk=laboratory.pk, site=site)
    for name in _LAB_FIELDS:
        if name in fields:
            setattr(found, name, fields[name])
    if not str(found.name).strip():
        raise ImpossibleError({"name": [_("A laboratory needs its name.")]})
    _store(found)
    return found


def _store(row: Laboratory | ReferenceRange) -> None:
    """Save; what the database refuses is said in words, beside its field where there is one."""
    try:
        with transaction.atomic():
            row.save(force_insert=row._state.adding)
    except DatabaseError as error:
        refusal = _refusal(row, error)
        if refusal is None:
            raise
        raise refusal from error


def _refusal(row: Laboratory | ReferenceRange, error: DatabaseError) -> DomainError | None:
    state = getattr(error.__cause__, "sqlstate", "")
    if isinstance(error, IntegrityError) and state == _EXCLUDED:
        message = _(
            "Another range of this analyte holds on some of these days for the same people."
        )
        return ImpossibleError({"since": [message]})
    if isinstance(error, IntegrityError) and state == _DUPLICATE:
        message = _("This site has a laboratory of this code already.")
        return ImpossibleError({"code": [message]})
    return refusal_of(type(row), error)


@transaction.atomic
def keep_range(
    *,
    laboratory: Laboratory,
    values: RangeValues,
    since: dt.date,
    by: User,
    until: dt.date | None = None,
) -> ReferenceRange:
    """State a range from a day on (to before `until`); the open one before it ends that day.

    History is kept: what was judged by the earlier range stays judged by it.
    """
    by.require(Capability.MANAGE_LABS, site=laboratory.site_id)
    Laboratory.objects.select_for_update(no_key=True).get(pk=laboratory.pk)
    _expect_unit(values)
    if until is not None and until <= since:
        raise ImpossibleError({"until": [_("A range ends on a later day than it begins.")]})
    _end_open_one(laboratory, values, since)
    made = ReferenceRange(
        site_id=laboratory.site_id,
        laboratory=laboratory,
        analyte=values.analyte,
        unit=values.unit,
        low=values.low,
        high=values.high,
        sex=values.sex,
        age_from=values.age_from,
        age_below=values.age_below,
        valid=DateRange(since, until, "[)"),
    )
    _store(made)
    return made


def _expect_unit(values: RangeValues) -> None:
    analyte = analyte_of(values.analyte, present_labs())
    if analyte is None:
        message = _("The protocol has no analyte %(key)s.") % {"key": values.analyte}
        raise ImpossibleError({"analyte": [message]})
    if values.unit not in analyte.accepted_units:
        message = _("%(analyte)s is not accepted in %(unit)s.") % {
            "analyte": values.analyte,
            "unit": values.unit or "–",
        }
        raise ImpossibleError({"unit": [message]})
    if values.sex not in Sex.values:
        raise ImpossibleError({"sex": [_("Choose for whom the range holds.")]})


def _end_open_one(laboratory: Laboratory, values: RangeValues, since: dt.date) -> None:
    """The range in force for the very same people, if it began earlier and has no end."""
    same = ReferenceRange.objects.filter(
        laboratory=laboratory,
        analyte=values.analyte,
        sex=values.sex,
        age_from=values.age_from,
        age_below=values.age_below,
        voided_at=None,
        valid__upper_inf=True,
        valid__startswith__lt=since,
    )
    for earlier in same.select_for_update(no_key=True):
        earlier.valid = DateRange(earlier.valid.lower, since, "[)")
        earlier.save(update_fields=["valid"])


@transaction.atomic
def end_range(*, found: ReferenceRange, on: dt.date, by: User) -> ReferenceRange:
    """End a range: from this day on it holds no longer."""
    found = _locked(found, by=by)
    if on <= found.valid.lower:
        raise ImpossibleError({"until": [_("A range ends on a later day than it begins.")]})
    found.valid = DateRange(found.valid.lower, on, "[)")
    _store(found)
    return found


@transaction.atomic
def void_range(*, found: ReferenceRange, reason: str, by: User) -> ReferenceRange:
    """Take a range out that was never right; what was judged by it keeps its own copy."""
    found = _locked(found, by=by)
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Voiding needs a reason.")]})
    found.voided_at, found.void_reason = trial_now(), reason[:500]
    with because(reason):
        found.save(update_fields=["voided_at", "void_reason"])
    return found


@transaction.atomic
def correct_range(
    *,
    found: ReferenceRange,
    low: Decimal | None,
    high: Decimal | None,
    unit: str,
    reason: str,
    by: User,
) -> ReferenceRange:
    """Replace a range that was entered wrongly, for the same people and days.

    No result changes by it: `differing_results` lists those that would be judged otherwise.
    """
    wrong = void_range(found=found, reason=reason, by=by)
    values = RangeValues(
        analyte=wrong.analyte,
        unit=unit,
        low=low,
        high=high,
        sex=wrong.sex,
        age_from=wrong.age_from,
        age_below=wrong.age_below,
    )
    with because(reason):
        return keep_range(
            laboratory=wrong.laboratory,
            values=values,
            since=wrong.valid.lower,
            until=wrong.valid.upper,
            by=by,
        )


def _locked(found: ReferenceRange, *, by: User) -> ReferenceRange:
    by.require(Capability.MANAGE_LABS, site=found.site_id)
    locked = (
        ReferenceRange.objects.select_for_update(no_key=True, of=("self",))
        .select_related("laboratory")
        .get(pk=found.pk)
    )
    if locked.voided_at is not None:
        raise TransitionError(_("This range has been voided."))
    return locked

"""Identifiers of a person in screening: kept, shown masked, revealed, found, erased.

Nothing here is ever logged, put into an address, a session or a message. The audit trail
says which identifier changed, who looked and why, and never what it was.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as kept
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from screening.identity import (
    FIELDS,
    Keys,
    Kind,
    blind,
    cleaned,
    mask,
    normalised,
    seal,
    unseal,
)
from screening.models import ScreeningEntry
from screening.services.identity_keys import identity_keys
from screening.vault_functions import ERASED, NEEDS_REASON, NO_REASON, NOT_OPEN, UNKNOWN
from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError

MAX_LENGTH = {"name": 200, "phone": 40, "hospital_number": 40}
MAX_REASON = 500


class IdentityError(DomainError):
    """What was said cannot be kept; `errors` says why, by field, and never repeats it."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(" ".join(text for texts in errors.values() for text in texts))
        self.errors = errors


class UnknownIdentityError(ObjectDoesNotExist):
    """No identity of that entry, or no disclosure of that id, for this person."""


@dataclass(frozen=True, slots=True)
class MaskedIdentity:
    """What stands in the vault for an entry, as it may be shown without asking."""

    entry_id: uuid.UUID
    site_id: int
    #: Identifier -> its mask, for those that are kept.
    values: Mapping[str, str] = kept(default_factory=dict)
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One identifier in plain text. Its text is kept out of every representation."""

    field: str
    text: str = kept(repr=False)
    kept_at: dt.datetime
    kept_by: int
    replaced_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class RevealedIdentity:
    """The identifiers of one entry, handed out once; earlier ones were corrected."""

    entry_id: uuid.UUID
    standing: Mapping[str, Told] = kept(repr=False)
    earlier: tuple[Told, ...] = kept(repr=False)


@sensitive_variables()
def keep_identity(
    *,
    entry_id: uuid.UUID,
    site: Site | int,
    name: str = "",
    phone: str = "",
    hospital_number: str = "",
    by: User,
    reason: str = "",
    removing: Collection[str] = (),
) -> None:
    """Keep the identifiers that are said; an empty one stays as it is.

    Correcting or removing one that stands needs a reason; what stood before stays in the
    vault for the site's record.
    """
    site_id = site if isinstance(site, int) else site.pk
    by.require(Capability.VIEW_IDENTITY, site=site_id)
    if _site_of(entry_id) != site_id:
        raise UnknownIdentityError
    said = {"name": name, "phone": phone, "hospital_number": hospital_number}
    check_identity(entry_id=entry_id, by=by, reason=reason, removing=removing, **said)
    said = _said(**said)
    keys = identity_keys()
    fields = [*said, *(each for each in FIELDS if each in removing)]
    rows = [_sealed(keys, entry_id, each, said) for each in fields]
    sealed, masked, found = zip(*rows, strict=True)
    with because(reason.strip()):
        _call(
            "SELECT trialsite.vault_keep(%s, %s, %s, %s, %s, %s)",
            [entry_id, site_id, fields, list(sealed), list(masked), list(found)],
        )


@sensitive_variables()
def check_identity(
    *,
    entry_id: uuid.UUID,
    name: str = "",
    phone: str = "",
    hospital_number: str = "",
    by: User,
    reason: str = "",
    removing: Collection[str] = (),
) -> None:
    """Raise IdentityError for whatever of this could not be kept; keeps nothing."""
    said = _said(name=name, phone=phone, hospital_number=hospital_number)
    problems = _problems(said, reason, removing)
    stands = masked_identity(entry_id, by=by)
    changed = {*said, *removing} & set(stands.values if stands else ())
    if changed and not reason.strip():
        problems.setdefault("reason", _("A correction needs a reason."))
    if problems:
        raise IdentityError({each: [text] for each, text in problems.items()})


def _said(**texts: str) -> dict[str, str]:
    return {name: text for name, raw in texts.items() if (text := cleaned(raw))}


@sensitive_variables()
def _problems(said: Mapping[str, str], reason: str, removing: Collection[str]) -> dict[str, str]:
    found = {each: problem for each, text in said.items() if (problem := _problem(each, text))}
    if not said and not removing:
        found["name"] = _("Enter at least one identifier.")
    if any(each in said or each not in FIELDS for each in removing):
        found["removing"] = _("Either correct an identifier or remove it.")
    if len(reason) > MAX_REASON:
        found["reason"] = _("At most 500 characters.")
    elif any(_names(reason, each, text) for each, text in said.items()):
        found["reason"] = _("The reason goes into the audit trail: write no identifier into it.")
    return found


def _problem(name: str, text: str) -> str:
    if len(text) > MAX_LENGTH[name]:
        return _("This is too long.")
    if any(unicodedata.category(each) in {"Cc", "Cs", "Co", "Cn"} for each in text):
        return _("This text holds a character that cannot be kept.")
    wanted = 5 if name == "phone" else 1
    if len(normalised(name, text)) < wanted:
        return _("This does not look like one.")
    return ""


@sensitive_variables()
def _names(reason: str, name: str, text: str) -> bool:
    """Whether the reason tells the identifier; a single character may stand anywhere."""
    sought = normalised(name, text)
    return len(sought) > 1 and sought in normalised(name, reason)


@sensitive_variables()
def _sealed(
    keys: Keys, entry: uuid.UUID, name: str, said: Mapping[str, str]
) -> tuple[str | None, str | None, str | None]:
    if name not in said:
        return None, None, None
    text = said[name]
    return (
        seal(keys, text, entry=entry, field=name),
        seal(keys, mask(name, text), entry=entry, field=name, kind=Kind.MASK),
        blind(keys, name, text),
    )


def masked_identity(entry_id: uuid.UUID, *, by: User) -> MaskedIdentity | None:
    """The masks of one entry, or None where nothing is kept or the person may not see."""
    return masked_identities([entry_id], by=by).get(entry_id)


def masked_identities(
    entry_ids: Iterable[uuid.UUID], *, by: User
) -> dict[uuid.UUID, MaskedIdentity]:
    """The masks of many entries with one query; entries the person may not see are left out."""
    sites = by.access.sites(Capability.VIEW_IDENTITY)
    wanted = list(entry_ids)
    if not sites or not wanted:
        return {}
    keys = identity_keys()
    rows = _call(
        "SELECT entry_id, site_id, field, masked, erased FROM trialsite.vault_masked(%s)", [wanted]
    )
    found: dict[uuid.UUID, dict[str, str]] = {}
    about: dict[uuid.UUID, tuple[int, bool]] = {}
    for entry, site, name, masked, erased in rows:
        if site not in sites:
            continue
        about[entry] = (site, erased)
        values = found.setdefault(entry, {})
        if name is not None:
            values[name] = unseal(keys, masked, entry=entry, field=name, kind=Kind.MASK)
    return {
        entry: MaskedIdentity(entry, site, _ordered(found[entry]), erased)
        for entry, (site, erased) in about.items()
    }


def _ordered(values: Mapping[str, str]) -> dict[str, str]:
    return {name: values[name] for name in FIELDS if name in values}


def ask_for_identity(*, entry_id: uuid.UUID, reason: str, by: User) -> uuid.UUID:
    """Say why identifiers must be seen: leaves the event, hands out nothing.

    What is returned opens them in a later transaction, once, within two minutes, for this
    person alone (`reveal_identity`).
    """
    by.require(Capability.VIEW_IDENTITY, site=_site_of(entry_id))
    if not reason.strip():
        raise IdentityError({"reason": [_("Say why you need to see the identifiers.")]})
    if len(reason) > MAX_REASON:
        raise IdentityError({"reason": [_("At most 500 characters.")]})
    ((disclosure,),) = _call("SELECT trialsite.vault_ask(%s, %s)", [entry_id, reason])
    return uuid.UUID(str(disclosure))


@sensitive_variables()
def reveal_identity(*, disclosure: uuid.UUID, by: User) -> RevealedIdentity:
    """Open what was asked for, after the event of it is kept for good."""
    rows = _call(
        "SELECT entry_id, field, sealed, kept_at, kept_by, replaced_at "
        "FROM trialsite.vault_reveal(%s)",
        [disclosure],
    )
    if not rows:
        raise UnknownIdentityError
    entry_id = rows[0][0]
    # Whoever lost the right since they asked sees nothing any more (trust IA5).
    by.require(Capability.VIEW_IDENTITY, site=_site_of(entry_id))
    keys = identity_keys()
    told = [
        Told(name, unseal(keys, sealed, entry=entry_id, field=name), *when)
        for _entry, name, sealed, *when in rows
    ]
    standing = {each.field: each for each in told if each.replaced_at is None}
    return RevealedIdentity(
        entry_id,
        {name: standing[name] for name in FIELDS if name in standing},
        tuple(each for each in told if each.replaced_at is not None),
    )


@sensitive_variables()
def likely_duplicates(
    *,
    site: Site | int,
    name: str = "",
    phone: str = "",
    hospital_number: str = "",
    by: User,
    apart_from: uuid.UUID | None = None,
) -> dict[uuid.UUID, tuple[str, ...]]:
    """Entries of the person's own sites with an equal identifier, and which: a suggestion.

    Whether it is the same person is for people to say; nothing is merged.
    """
    by.require(Capability.VIEW_IDENTITY, site=site)
    said = _said(name=name, phone=phone, hospital_number=hospital_number)
    found = _matching(said.items(), by)
    return {entry: fields for entry, fields in found.items() if entry != apart_from}


@sensitive_variables()
def find_by_identifier(*, text: str, by: User) -> dict[uuid.UUID, tuple[str, ...]]:
    """Entries of the person's own sites whose name, phone or hospital number is exactly this."""
    by.require(Capability.VIEW_IDENTITY)
    sought = cleaned(text)
    return _matching([(each, sought) for each in FIELDS], by)


@sensitive_variables()
def _matching(said: Iterable[tuple[str, str]], by: User) -> dict[uuid.UUID, tuple[str, ...]]:
    keys = identity_keys()
    pairs = [(name, blind(keys, name, text)) for name, text in said if normalised(name, text)]
    if not pairs:
        return {}
    rows = _call(
        "SELECT entry_id, site_id, field FROM trialsite.vault_matches(%s, %s)",
        [[name for name, _index in pairs], [index for _name, index in pairs]],
    )
    sites = by.access.sites(Capability.VIEW_IDENTITY)
    found: dict[uuid.UUID, tuple[str, ...]] = {}
    for entry, site, name in rows:
        if site in sites:
            found[entry] = (*found.get(entry, ()), name)
    return found


def erase_identity(*, entry_id: uuid.UUID, reason: str, by: User) -> None:
    """Destroy every identifier of an entry, earlier ones too, for good; the event stays."""
    by.require(Capability.VIEW_IDENTITY, site=_site_of(entry_id))
    if not reason.strip():
        raise IdentityError({"reason": [_("Say why the identifiers are erased.")]})
    if len(reason) > MAX_REASON:
        raise IdentityError({"reason": [_("At most 500 characters.")]})
    _call("SELECT trialsite.vault_erase(%s, %s)", [entry_id, reason])


def _site_of(entry_id: uuid.UUID) -> int:
    site = ScreeningEntry.objects.filter(pk=entry_id).values_list("site_id", flat=True).first()
    if site is None:
        raise UnknownIdentityError
    return int(site)


@sensitive_variables()
def _call(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    """Ask the vault; what it refuses becomes a refusal of ours."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())
    except DatabaseError as error:
        refused = _refusal(getattr(error.__cause__, "sqlstate", ""))
        if refused is None:
            raise
        raise refused from None


def _refusal(sqlstate: str) -> Exception | None:
    if sqlstate == UNKNOWN:
        return UnknownIdentityError()
    words = {
        NO_REASON: IdentityError({"reason": [_("Give a reason.")]}),
        NEEDS_REASON: IdentityError({"reason": [_("A correction needs a reason.")]}),
        NOT_OPEN: TransitionError(
            _("This was open for two minutes, once. Ask again, with the reason.")
        ),
        ERASED: TransitionError(_("These identifiers were erased.")),
    }
    return words.get(sqlstate)

"""Confirming what the protocol file only assumes: signed, value by value, revocable."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from functools import lru_cache

from django.db import transaction
from django.db.models import F
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.access.signing import SigningProof
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import protocol_of
from trialsite.core.clock import TrialNow
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.protocol import Assumption, Protocol
from trialsite.review.models import ConfirmedAssumption, Signature
from trialsite.review.signatures import SEALED, canonical, is_sealed, sign, sign_each, stands

CONFIRMED, REVOKED = "assumption_confirmed", "assumption_revoked"

#: What the principal investigator reads above the password.
CONFIRM_MEANING: Promise = gettext_lazy(
    "I confirm the listed values as configuration of the study. Verdicts on eligibility may rest "
    "on them from now on."
)
REVOKE_MEANING: Promise = gettext_lazy(
    "I revoke the confirmation of this value. Verdicts that rest on it are not yet known from "
    "now on."
)


@transaction.atomic
def confirm_assumptions(
    *,
    version: ProtocolVersion,
    paths: Iterable[str],
    by: User,
    proof: SigningProof,
    seen: dict[str, str] | None = None,
) -> list[ConfirmedAssumption]:
    """Make assumptions of a protocol version the study's own: one proof, a signature each.

    `seen` are the values that the person read, by path. Only the study-wide principal
    investigator; all of the listed values or none (decisions C2, P1, P3).
    """
    by.require_study_wide(Capability.CONFIGURE_STUDY)
    # Two confirmations of one version wait for each other.
    ProtocolVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
    open_now = {each.path: each for each in confirmed_protocol(version.pk).assumptions()}
    chosen = list(dict.fromkeys(paths))
    if not chosen:
        raise DomainError(_("Choose at least one value to confirm."))
    for path in chosen:
        assumption = open_now.get(path)
        if assumption is None:
            raise TransitionError(
                _("“%(path)s” is no open assumption of this version.") % {"path": path}
            )
        if seen is not None and seen.get(path) != assumption.value:
            raise TransitionError(
                _("“%(path)s” has another value than the one you read.") % {"path": path}
            )
    return _confirm(version, [open_now[path] for path in chosen], by, proof)


def _confirm(
    version: ProtocolVersion, chosen: list[Assumption], by: User, proof: SigningProof
) -> list[ConfirmedAssumption]:
    keys = {uuid.uuid4(): each for each in chosen}
    signatures = sign_each(
        kind=CONFIRMED,
        contents={key: _content(version, each.path, each.value) for key, each in keys.items()},
        meaning=CONFIRM_MEANING,
        by=by,
        proof=proof,
    )
    _make_room(version, {each.path: signatures[key] for key, each in keys.items()}, by)
    ConfirmedAssumption.objects.bulk_create(
        ConfirmedAssumption(
            pk=key,
            version=version,
            path=each.path,
            value=each.value,
            signature=signatures[key],
            confirmed_by=by,
            confirmed_at=TrialNow(),
        )
        for key, each in keys.items()
    )
    made = ConfirmedAssumption.objects.select_related("signature").in_bulk(list(keys))
    return [made[key] for key in keys]


def _make_room(version: ProtocolVersion, signatures: dict[str, Signature], by: User) -> None:
    """Revoke, under the new signature, what was confirmed for another value or under a voided
    signature: it speaks for nothing any more."""
    outdated = ConfirmedAssumption.objects.filter(
        version=version, path__in=signatures, revoked_at=None
    )
    for confirmation in outdated:
        confirmation.revoked_at, confirmation.revoked_by = TrialNow(), by
        confirmation.revocation = signatures[confirmation.path]
        confirmation.revoke_reason = _("Confirmed anew.")
        confirmation.save(update_fields=["revoked_at", "revoked_by", "revocation", "revoke_reason"])


@transaction.atomic
def revoke_confirmation(
    *, confirmation: ConfirmedAssumption, reason: str, by: User, proof: SigningProof
) -> ConfirmedAssumption:
    """Turn a confirmed value back into an assumption, by signature and with reason."""
    by.require_study_wide(Capability.CONFIGURE_STUDY)
    waiting = ConfirmedAssumption.objects.select_for_update(no_key=True, of=("self",))
    confirmation = waiting.select_related("version").get(pk=confirmation.pk)
    if confirmation.revoked_at is not None:
        raise TransitionError(_("This confirmation is revoked already."))
    if not reason.strip():
        raise DomainError(_("Give the reason."))
    with because(reason.strip()):
        signature = sign(
            kind=REVOKED,
            target=confirmation.pk,
            content=canonical([_content_of(confirmation), reason.strip()]),
            meaning=REVOKE_MEANING,
            by=by,
            proof=proof,
        )
        confirmation.revoked_at, confirmation.revoked_by = TrialNow(), by
        confirmation.revocation, confirmation.revoke_reason = signature, reason.strip()
        confirmation.save(update_fields=["revoked_at", "revoked_by", "revocation", "revoke_reason"])
    confirmation.refresh_from_db()
    return confirmation


def _content(version: ProtocolVersion, path: str, value: str) -> str:
    return _content_under(version.version, version.content_hash, path, value)


def _content_under(version: str, content_hash: str, path: str, value: str) -> str:
    return canonical(
        {"version": version, "content_hash": content_hash, "path": path, "value": value}
    )


def _content_of(confirmation: ConfirmedAssumption) -> str:
    return _content(confirmation.version, confirmation.path, confirmation.value)


def holds(confirmation: ConfirmedAssumption, protocol: Protocol) -> bool:
    """Whether a confirmation speaks for the value that stands in the protocol now."""
    leaf = protocol.provenance.leaves.get(confirmation.path)
    signature: Signature = confirmation.signature
    return (
        confirmation.revoked_at is None
        and leaf is not None
        and leaf.value == confirmation.value
        and signature.kind == CONFIRMED
        and signature.target == confirmation.pk
        and stands(signature, _content_of(confirmation))
    )


def confirmations_of(version_id: int) -> list[ConfirmedAssumption]:
    """The confirmations of a version that hold, in the order of their paths; one query."""
    protocol = protocol_of(version_id)
    found = (
        ConfirmedAssumption.objects.standing()
        .filter(version_id=version_id)
        .select_related("signature", "version", "confirmed_by")
        # The text of the whole protocol, otherwise once for each of its values.
        .defer("version__content")
    )
    return [each for each in found if holds(each, protocol)]


def confirmed_protocol(version_id: int) -> Protocol:
    """The protocol of a version in which what has been confirmed is no assumption any more.

    What is confirmed is read anew each time (one query); only the composing is remembered.
    """
    return _composed(version_id, _confirmed_paths(version_id))


def _confirmed_paths(version_id: int) -> frozenset[str]:
    """The paths of the confirmations that hold, as `confirmations_of` without its rows: every
    verdict asks for them."""
    protocol = protocol_of(version_id)
    signed = [f"signature__{name}" for name in SEALED]
    rows = (
        ConfirmedAssumption.objects.standing()
        .filter(version_id=version_id, signature__kind=CONFIRMED, signature__target=F("pk"))
        .values_list("path", "value", "version__version", "version__content_hash", *signed)
    )
    leaves = protocol.provenance.leaves
    return frozenset(
        path
        for path, value, version, content_hash, *seal in rows.order_by()
        if path in leaves
        and leaves[path].value == value
        and is_sealed(_content_under(version, content_hash, path, value), *seal)
    )


@lru_cache(maxsize=32)
def _composed(version_id: int, paths: frozenset[str]) -> Protocol:
    return protocol_of(version_id).with_confirmed(paths)

"""Freezing the study's safety figures for a committee."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import ProtocolVersion
from trialsite.conduct.models import Hold, SafetySnapshot
from trialsite.conduct.order import decide_under_holds
from trialsite.conduct.selectors import RuleLine, rule_lines
from trialsite.conduct.watching import counts_now
from trialsite.core.clock import TrialNow
from trialsite.core.exceptions import DomainError
from trialsite.review.signatures import canonical


@transaction.atomic
def take_snapshot(*, version: ProtocolVersion, purpose: str, by: User) -> SafetySnapshot:
    """Freeze the figures, rules, gates and holds of the whole study as they are now."""
    by.require_study_wide(Capability.HOLD)
    by.require_study_wide(Capability.VIEW_CASEBOOK)
    if not purpose.strip():
        raise DomainError(_("Say what the snapshot is for."))
    # Numbers follow one another, and no hold is placed between two lines of one snapshot.
    decide_under_holds(changing=True)
    last = SafetySnapshot.objects.order_by("-number").first()
    content = frozen(version, by)
    snapshot = SafetySnapshot.objects.create(
        number=1 if last is None else last.number + 1,
        version=version,
        purpose=purpose.strip()[:200],
        content=content,
        sha256=hashlib.sha256(canonical(content).encode()).hexdigest(),
        taken_by=by,
        taken_at=TrialNow(),
    )
    snapshot.refresh_from_db()
    return snapshot


def is_intact(snapshot: SafetySnapshot) -> bool:
    """Whether a snapshot still holds what was frozen."""
    return hashlib.sha256(canonical(snapshot.content).encode()).hexdigest() == snapshot.sha256


def frozen(version: ProtocolVersion, by: User) -> dict[str, Any]:
    """Everything a committee is shown, in every language of the house."""
    content: dict[str, Any] = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            content[language] = {
                "counts": [list(each) for each in counts_now()],
                "rules": [_said(line) for line in rule_lines(version.pk, viewer=by)],
                "holds": [_said_hold(hold) for hold in _standing()],
            }
    return content


def _standing() -> list[Hold]:
    return list(Hold.objects.standing().select_related("site").order_by("placed_at", "pk"))


def _said(line: RuleLine) -> dict[str, Any]:
    facts, seen = line.facts, line.watched
    return {
        "kind": str(line.rule.kind),
        "key": line.rule.key,
        "name": line.rule.name,
        "standing": str(line.rule.standing),
        "parameters": [list(each) for each in line.rule.parameters],
        "inputs": [[str(name), value] for name, value in seen.inputs] if seen else [],
        "met": seen.met if seen else bool(line.says),
        "says": seen.says if seen else line.says or _("Open."),
        "verdict": line.verdict,
        "enrolled": facts.enrolled if facts else None,
        "with_data": facts.with_data if facts else None,
    }


def _said_hold(hold: Hold) -> dict[str, Any]:
    return {
        "where": hold.site.code if hold.site else "*",
        "scope": str(hold.get_scope_display()),
        "reason": hold.reason,
        "placed_at": hold.placed_at.isoformat(),
    }

"""The page of holds and gates, and the signed acts that start from it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site, User
from trialsite.access.signing import SigningForm, statement
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.selectors import current_version
from trialsite.conduct.forms import (
    HoldForm,
    ReasonedSigningForm,
    ReviewForm,
    SnapshotForm,
    SwitchForm,
)
from trialsite.conduct.models import (
    Decision,
    GateReview,
    Hold,
    ProposalStatus,
    ProposedHold,
    RuleKind,
    SafetySnapshot,
    Scope,
)
from trialsite.conduct.rules import STANDINGS, content_of
from trialsite.conduct.selectors import RuleLine, rule_lines, rule_names, sees_every_site
from trialsite.conduct.services.committee import REVIEW_MEANING, record_review
from trialsite.conduct.services.holds import (
    LIFT_MEANING,
    SWITCH_OFF_MEANING,
    SWITCH_ON_MEANING,
    lift_hold,
    place_hold,
    switch_rule,
)
from trialsite.core.exceptions import DomainError, NotPermittedError

configures = requires(Capability.CONFIGURE_STUDY)
PAGE = "conduct:holds"
#: Decided proposals on the page; the dataset has them all.
DECIDED_SHOWN = 20


def _visible(request: StaffRequest) -> QuerySet[Hold]:
    return Hold.objects.visible_to(request.user).select_related(
        "site", "placed_by", "activation__decided_by", "lifted_by", "lift_signature"
    )


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def holds(request: StaffRequest) -> HttpResponse:
    """What is on hold, which rules are switched on, what they say or would say."""
    return _page(request, _hold_form(request))


def _hold_form(request: StaffRequest, typed: Any = None) -> HoldForm | None:
    """The form for whoever may place a hold somewhere."""
    if not request.user.can(Capability.HOLD):
        return None
    return HoldForm(typed, user=request.user)


def _page(request: StaffRequest, form: HoldForm | None, status: int = 200) -> HttpResponse:
    found = list(_visible(request))
    version = _version()
    lines = rule_lines(version.pk, viewer=request.user) if version else []
    context = {
        "active": [each for each in found if each.lifted_at is None],
        "lifted": [each for each in found if each.lifted_at is not None],
        "proposals": _proposals(request),
        "names": rule_names(version.pk) if version else {},
        "form": form,
        "version": version,
        "gates": [line for line in lines if line.rule.kind is RuleKind.GATE],
        "rules": [line for line in lines if line.rule.kind is not RuleKind.GATE],
        "reviews": GateReview.objects.visible_to(request.user)
        .select_related("signature")
        .order_by("gate", "-number"),
        "snapshots": _snapshots(request),
        "snapshot_form": _snapshot_form(request),
        "whole": sees_every_site(request.user),
        "may_configure": request.user.access.study_wide(Capability.CONFIGURE_STUDY),
    }
    return render(request, "conduct/holds.html", context, status=status)


def _snapshots(request: StaffRequest) -> QuerySet[SafetySnapshot]:
    """The data cuts, for whoever sees every site."""
    rows = SafetySnapshot.objects.visible_to(request.user)
    return rows.defer("content").select_related("taken_by").order_by("-number")


def _snapshot_form(request: StaffRequest) -> SnapshotForm | None:
    may = request.user.access.study_wide(Capability.HOLD) and sees_every_site(request.user)
    return SnapshotForm() if may and _version() else None


def _proposals(request: StaffRequest) -> list[ProposedHold]:
    """Proposed holds that wait for a decision first, then the last that were decided."""
    seen = ProposedHold.objects.visible_to(request.user).select_related("site", "subject")
    waiting = seen.filter(status=ProposalStatus.OPEN)
    return [*waiting, *seen.exclude(status=ProposalStatus.OPEN)[:DECIDED_SHOWN]]


def _version() -> ProtocolVersion | None:
    try:
        return current_version()
    except ProtocolVersion.DoesNotExist:
        return None


@requires(Capability.HOLD)
@require_POST
def place(request: StaffRequest) -> HttpResponse:
    """Place a hold; it binds from this moment."""
    form = HoldForm(request.POST, user=request.user)
    if not form.is_valid():
        return _page(request, form, 422)
    place_hold(
        site=form.site,
        scope=Scope(form.cleaned_data["scope"]),
        reason=form.cleaned_data["reason"],
        by=request.user,
    )
    messages.success(request, _("The hold is placed and binds from now on."))
    return redirect(PAGE)


def signed_act(
    request: StaffRequest,
    *,
    form: SigningForm,
    act: Callable[[], object],
    done: str,
    meaning: str | Promise,
    heading: str,
    facts: list[tuple[str, str]],
    site: Site | None = None,
) -> HttpResponse:
    """One page for every signed act: what it is about, its fields, the signature."""
    if request.method == "POST" and form.is_valid():
        try:
            act()
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, done)
            return redirect(PAGE)
    context = {
        "form": form,
        "heading": heading,
        "facts": facts,
        "statement": statement(by=request.user, meaning=meaning, site=site),
    }
    return render(request, "conduct/act.html", context, status=422 if form.errors else 200)


def typed(request: StaffRequest) -> Any:
    return request.POST if request.method == "POST" else None


@configures
@require_http_methods(["GET", "HEAD", "POST"])
def lift(request: StaffRequest, hold_id: uuid.UUID) -> HttpResponse:
    """Lift a hold: reason and signature of the study-wide principal investigator."""
    hold = get_object_or_404(_visible(request), pk=hold_id)
    request.user.require_study_wide(Capability.CONFIGURE_STUDY)
    form = ReasonedSigningForm(typed(request), request=request)
    return signed_act(
        request,
        form=form,
        act=lambda: lift_hold(
            hold=hold, reason=form.cleaned_data["reason"], by=request.user, proof=form.proof
        ),
        done=_("The hold is lifted."),
        meaning=LIFT_MEANING,
        heading=_("Lift the hold"),
        facts=[
            (_("Where"), str(hold.site) if hold.site else _("The whole study")),
            (_("What is held"), hold.get_scope_display()),
            (_("Reason"), hold.reason),
        ],
        site=hold.site,
    )


def _line_or_404(kind: str, key: str, viewer: User) -> tuple[RuleLine, ProtocolVersion]:
    version = _version()
    lines = rule_lines(version.pk, viewer=viewer) if version else []
    for line in lines:
        if version is not None and (line.rule.kind, line.rule.key) == (kind, key):
            return line, version
    raise Http404


@configures
@require_http_methods(["GET", "HEAD", "POST"])
def switch(request: StaffRequest, kind: str, key: str, to: str) -> HttpResponse:
    """Switch a rule on or off by signature; what is signed are its present parameters."""
    request.user.require_study_wide(Capability.CONFIGURE_STUDY)
    line, version = _line_or_404(kind, key, request.user)
    if to not in {"on", "off"}:
        raise Http404
    active = to == "on"
    read = {"seen": content_of(line.rule.proposal)}
    form = SwitchForm(typed(request), request=request, initial=read)
    return signed_act(
        request,
        form=form,
        act=lambda: switch_rule(
            version=version,
            kind=line.rule.kind,
            rule=key,
            active=active,
            reason=form.cleaned_data["reason"],
            by=request.user,
            proof=form.proof,
            seen=form.cleaned_data["seen"],
        ),
        done=_("The rule is switched on.") if active else _("The rule is switched off."),
        meaning=SWITCH_ON_MEANING if active else SWITCH_OFF_MEANING,
        heading=_("Switch the rule on") if active else _("Switch the rule off"),
        facts=[
            (_("Rule"), line.rule.name),
            *line.rule.parameters,
            (_("Protocol version"), version.version),
            (_("State"), str(STANDINGS[line.rule.standing])),
            *_what_it_would_do(line, active=active),
        ],
    )


def _what_it_would_do(line: RuleLine, *, active: bool) -> list[tuple[str, str]]:
    """The rule's inputs as whoever signs sees them, and what follows from the signature."""
    facts = []
    if line.watched is not None:
        facts += [*line.watched.inputs, (_("What it says"), line.watched.says)]
    if active and line.waiting:
        text = ngettext(
            "%(n)d open proposal: its hold is placed at once.",
            "%(n)d open proposals: their holds are placed at once.",
            line.waiting,
        )
        facts.append((_("When it is switched on"), text % {"n": line.waiting}))
    return facts


@configures
@require_http_methods(["GET", "HEAD", "POST"])
def review(request: StaffRequest, key: str) -> HttpResponse:
    """Record the decision of a safety review at a gate."""
    request.user.require_study_wide(Capability.CONFIGURE_STUDY)
    line, version = _line_or_404(RuleKind.GATE, key, request.user)
    assert line.facts is not None
    form = ReviewForm(typed(request), request=request)
    form.at_gate(line)

    def act() -> None:
        said = form.cleaned_data
        record_review(
            version=version,
            gate=key,
            decision=Decision(said["decision"]),
            meeting_on=said["meeting_on"],
            document=said["document"],
            comment=said["comment"],
            next_after=said.get("next_after"),
            next_on=said["next_on"],
            covers=[uuid.UUID(each) for each in said.get("covers", ())],
            by=request.user,
            proof=form.proof,
        )

    return signed_act(
        request,
        form=form,
        act=act,
        done=_("The review is recorded."),
        meaning=REVIEW_MEANING,
        heading=_("Record a review"),
        facts=[
            (_("Gate"), line.rule.name),
            (_("Enrolled"), str(line.facts.enrolled)),
            (_("With data"), str(line.facts.with_data)),
            (_("Protocol version"), version.version),
            (_("What it says"), line.says or _("Open.")),
        ],
    )

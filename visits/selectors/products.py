"""Reading the cell product: what may be loaded, what is left where, what a lot was used for."""

from __future__ import annotations

import datetime as dt
import unicodedata
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from django.db.models import Case, F, Prefetch, Q, QuerySet, Sum, When
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability, roles_granting
from trialsite.access.models import Membership, Site, SiteScopedQuerySet, User
from trialsite.casebook.models import Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.core import slots
from trialsite.core.clock import trial_now
from trialsite.notify.models import Notice
from trialsite.protocol import Interval
from visits.models import (
    STATE_AFTER,
    LoadedProduct,
    LotAct,
    LotDecision,
    LotMovement,
    LotState,
    MovementKind,
    ProductLot,
    ReleaseTest,
    TreatmentSession,
)

#: What apps above know of those whom a lot reached; shown on its recall page.
LOT_RECALL = slots.declare("visits.lot.recall")

#: The protocol's ranges that loaded cells are held against.
VIABILITY, CELLS = "VIAB", "CELLDOSE"
#: Further from the prescribed dose than this is asked about (clinical 1e).
DOSE_TOLERANCE = Decimal("0.10")

_SIGNED = Case(When(kind=MovementKind.RECEIVED, then=F("units")), default=-F("units"))
_MINUTE = dt.timedelta(minutes=1)


def scanned(text: str) -> str:
    """A code as typed or scanned, in the one way it is kept: capitals, no spaces around."""
    return unicodedata.normalize("NFKC", text).strip().upper()


def state_at(lot: ProductLot, at: dt.datetime) -> str:
    """The state of a lot at a moment; bedside clocks tell minutes, and the minute counts."""
    until = at.replace(second=0, microsecond=0) + _MINUTE
    last = LotDecision.objects.filter(lot=lot, decided_at__lt=until).order_by("-number").first()
    return LotState.REGISTERED if last is None else STATE_AFTER[LotAct(last.act)]


def state_problem(state: str) -> str:
    """Why a lot in this state is not used; empty for a released one."""
    return {
        LotState.REGISTERED: _("This lot is not released."),
        LotState.QUARANTINED: _("This lot is in quarantine."),
        LotState.RECALLED: _("This lot is recalled."),
        LotState.CLOSED: _("This lot is closed: none is left."),
    }.get(LotState(state), "")


def lot_problem(lot: ProductLot, at: dt.datetime | None = None) -> str:
    """Why a lot may not be loaded at a moment (now, if none is given); empty where it may."""
    now = trial_now()
    state = lot.state if at is None or at >= now else state_at(lot, at)
    if problem := state_problem(state):
        return problem
    return _("This lot is expired.") if lot.is_expired(at or now) else ""


def units_left(lot: ProductLot, site_id: int) -> int:
    """The units of a lot that a site still has."""
    lines = LotMovement.objects.standing().filter(lot=lot, site_id=site_id)
    return int(lines.aggregate(left=Sum(_SIGNED))["left"] or 0)


def loadable_lots(site_id: int, on: dt.date | None = None) -> list[ProductLot]:
    """The released, unexpired lots of which the site has units; each with these as `left`."""
    now = trial_now()
    if isinstance(on, dt.datetime):
        now = max(now, on)
    elif on is not None:
        now = max(now, dt.datetime.combine(on, dt.time.min, tzinfo=dt.UTC))
    here = Q(movements__site_id=site_id, movements__voided_at=None)
    lots = ProductLot.objects.filter(state=LotState.RELEASED, expires_at__gt=now)
    signed = Case(
        When(movements__kind=MovementKind.RECEIVED, then=F("movements__units")),
        default=-F("movements__units"),
    )
    counted = lots.annotate(left=Sum(signed, filter=here)).filter(left__gt=0)
    return list(counted.order_by("expires_at", "code"))


@dataclass(slots=True)
class Account:
    """What became of one lot at one site; the balance is what should still be there."""

    lot: ProductLot
    site: Site
    received: int = 0
    loaded: int = 0
    returned: int = 0
    destroyed: int = 0

    @property
    def left(self) -> int:
        return self.received - self.loaded - self.returned - self.destroyed


def accounts(user: User, lot: ProductLot | None = None) -> list[Account]:
    """The account of each lot at each of the person's sites."""
    lines = LotMovement.objects.visible_to(user).filter(voided_at=None)
    if lot is not None:
        lines = lines.filter(lot=lot)
    found: dict[tuple[str, str], Account] = {}
    sums = lines.values("lot_id", "site_id", "kind").annotate(total=Sum("units")).order_by()
    rows = list(sums)
    lots = ProductLot.objects.in_bulk([row["lot_id"] for row in rows])
    sites = Site.objects.in_bulk([row["site_id"] for row in rows])
    for row in rows:
        key = (lots[row["lot_id"]].code, sites[row["site_id"]].code)
        account = found.setdefault(key, Account(lots[row["lot_id"]], sites[row["site_id"]]))
        setattr(account, row["kind"], row["total"])
    return [found[key] for key in sorted(found)]


def load_problems(loaded: LoadedProduct) -> list[str]:
    """What about loaded cells is not kept without a word: it is confirmed, or corrected."""
    limits = {
        each.item: each.hard for each in protocol_of(loaded.subject.protocol_version_id).item_limits
    }
    problems = [
        _("%(what)s %(value)s %% lies outside %(limits)s %%.")
        % {
            "what": loaded._meta.get_field(name).verbose_name,  # type: ignore[union-attr]
            "value": f"{value.normalize():f}",
            "limits": _span(limits[VIABILITY]),
        }
        for name in ("viability_thawed", "viability_loaded")
        if (value := getattr(loaded, name)) is not None and _outside(value, limits.get(VIABILITY))
    ]
    if _outside(loaded.viable_cells, limits.get(CELLS)):
        problems.append(_("The number of cells lies outside %s million.") % _span(limits[CELLS]))
    if prescribed := loaded.prescribed_cells:
        apart = abs(loaded.viable_cells - prescribed) / prescribed
        if apart > DOSE_TOLERANCE:
            problems.append(
                _("The dose is %(percent)s %% away from what was prescribed.")
                % {"percent": round(apart * 100)}
            )
    return problems


def _outside(value: Decimal, interval: Interval | None) -> bool:
    return interval is not None and value not in interval


def _span(interval: Interval | None) -> str:
    if interval is None:
        return ""
    low, high = interval.low, interval.high
    return f"{'' if low is None else f'{low:f}'}–{'' if high is None else f'{high:f}'}"


def unconfirmed_loads(session: TreatmentSession) -> list[str]:
    """What of a session's cells must be confirmed before the session is completed."""
    rows = LoadedProduct.objects.filter(session=session, confirmed="").standing()
    return [
        f"{loaded.lot.code}: {problem}"
        for loaded in rows.select_related("lot", "subject")
        for problem in load_problems(loaded)
    ]


def connect_by(loaded: LoadedProduct) -> dt.datetime | None:
    """Until when, on the clock at the site, thawed cells go into the circuit."""
    plan = protocol_of(loaded.subject.protocol_version_id).sessions
    hours = plan.cells_stable_hours if plan else None
    return None if hours is None else loaded.thaw_ended_at + dt.timedelta(minutes=int(hours * 60))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Everything the person may know of where a lot went."""

    lot: ProductLot
    loads: list[LoadedProduct]
    accounts: list[Account]
    notices: list[Notice]
    inform: list[tuple[Site, list[User]]] = field(default_factory=list)

    @property
    def subjects(self) -> list[Subject]:
        """The participants who were treated with the lot, each once."""
        return list({each.subject_id: each.subject for each in self.loads}.values())

    @property
    def sessions(self) -> list[TreatmentSession]:
        """The sessions in which the lot was used, each once."""
        return list({each.session_id: each.session for each in self.loads}.values())

    @property
    def left(self) -> int:
        return sum(each.left for each in self.accounts)


def recall(lot: ProductLot, user: User) -> Recall:
    """Whom a lot reached, in which sessions, and where units of it still are: the person's
    sites only; whoever works study-wide sees all."""
    loads = (
        LoadedProduct.objects.visible_to(user)
        .filter(lot=lot, voided_at=None)
        .select_related("subject", "session", "site", "lot")
        .order_by("site__code", "subject__screening_number", "loaded_at")
    )
    found = accounts(user, lot)
    sites = [each.site for each in found]
    about = [
        *LotDecision.objects.filter(lot=lot).values_list("pk", flat=True),
        *ReleaseTest.objects.filter(lot=lot).values_list("pk", flat=True),
    ]
    notices = Notice.objects.filter(object_id__in=about, site_id__in=[site.pk for site in sites])
    return Recall(
        lot=lot,
        loads=list(loads),
        accounts=found,
        notices=list(notices.select_related("recipient", "site").order_by("site__code", "due_at")),
        inform=whom_to_inform(sites),
    )


def whom_to_inform(sites: list[Site]) -> list[tuple[Site, list[User]]]:
    """Who must hear of a stopped lot at each site: whoever may hold treatment there."""
    roles = roles_granting(Capability.HOLD)
    held = Membership.objects.on(trial_now().date()).filter(role__in=roles, user__is_active=True)
    lines = list(held.select_related("user").order_by("user__full_name", "pk"))
    return [
        (site, list(dict.fromkeys(each.user for each in lines if each.site_id in {None, site.pk})))
        for site in sites
    ]


def lot_of(key: str) -> ProductLot | None:
    """The lot of a number, as scanned, or of a key."""
    try:
        return ProductLot.objects.filter(pk=uuid.UUID(key)).first()
    except ValueError:
        return ProductLot.objects.filter(code=scanned(key)).first()


@dataclass(frozen=True, slots=True)
class Stock:
    """A lot with the units that the person's sites have of it."""

    lot: ProductLot
    left: int
    expired: bool


def stock_of(user: User) -> list[Stock]:
    """Every lot of the study, newest first, with what the person's sites have."""
    left: dict[object, int] = defaultdict(int)
    for each in accounts(user):
        left[each.lot.pk] += each.left
    now = trial_now()
    lots = ProductLot.objects.order_by("-registered_at", "code")
    return [Stock(lot, left[lot.pk], lot.is_expired(now)) for lot in lots]


def movements_of(user: User, lot: ProductLot) -> SiteScopedQuerySet[LotMovement]:
    """The lines of a lot's accounts at the person's sites, voided ones too."""
    lines = LotMovement.objects.visible_to(user).filter(lot=lot)
    people = ("site", "entered_by", "witness", "voided_by")
    return lines.select_related(*people).order_by("site__code", "number")


def released_by(lot: ProductLot) -> list[LotDecision]:
    """What was decided about a lot, newest first, with signatures."""
    found = LotDecision.objects.filter(lot=lot).select_related("decided_by", "signature", "test")
    return list(found.order_by("-number"))


def staff_at(sites: Iterable[Site]) -> list[User]:
    """Who handles the product at one of these sites today, by name."""
    roles = roles_granting(Capability.MANAGE_PRODUCT)
    held = Membership.objects.on(trial_now().date()).filter(role__in=roles)
    held = held.filter(Q(site=None) | Q(site__in=list(sites)))
    people = User.objects.filter(is_active=True, memberships__in=held)
    return list(people.distinct().order_by("full_name", "pk"))


def lots_said() -> QuerySet[ProductLot]:
    """Every lot with its decisions and their signatures, in the order of the numbers."""
    decisions = LotDecision.objects.select_related(
        "decided_by", "signature__site", "signature__record"
    ).order_by("number")
    return ProductLot.objects.order_by("code").prefetch_related(Prefetch("decisions", decisions))

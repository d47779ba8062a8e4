"""Receiving by scan: what came, in which condition, what did not, and why."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from samples.models import (
    Aliquot,
    AliquotState,
    Box,
    Condition,
    CustodyKind,
    LineState,
    Shipment,
    ShipmentLine,
    ShipmentState,
)
from samples.services.aliquots import fresh
from samples.services.log import Happening, enter, held_aliquots
from samples.services.scanning import ScanRefusedError, unknown
from samples.services.shipment_log import (
    Scanned,
    change,
    change_line,
    demand,
    held_shipment,
    next_line,
    on_the_clock,
    scanned,
    write_line,
)
from samples.services.withdrawals import follow_late_entry
from trialsite.access.models import User
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.crf.violations import ImpossibleError

_ON_ITS_WAY = (ShipmentState.SENT, ShipmentState.RECEIVED)
_AFTER_SENDING = (*_ON_ITS_WAY, ShipmentState.CLOSED)
#: From these an aliquot comes out of a parcel, also of one into which nobody scanned it.
_CAN_COME = (
    AliquotState.STORED,
    AliquotState.HELD,
    AliquotState.MADE,
    AliquotState.THAWED,
    AliquotState.SHIPPED,
)


@transaction.atomic
def arrive(
    *,
    by: User,
    shipment: Shipment,
    receiver: str,
    at: dt.datetime | None = None,
    logger_celsius: Decimal | None = None,
) -> Shipment:
    """The parcel is there: when, who took it over, how warm its logger has been.

    Said again before it is closed, it puts right what was said.
    """
    parcel = held_shipment(shipment, by, *_ON_ITS_WAY)
    if not receiver.strip():
        raise ImpossibleError({"receiver": [_("Say who received it.")]})
    parcel.received_at = on_the_clock(parcel, at)
    parcel.received_by_name = receiver.strip()[:100]
    parcel.logger_celsius = logger_celsius
    parcel.state = ShipmentState.RECEIVED
    return change(parcel, "received_at", "received_by_name", "logger_celsius", "state")


@transaction.atomic
def receive(
    *,
    by: User,
    shipment: Shipment,
    code: str,
    at: dt.datetime | None = None,
    condition: str = Condition.INTACT,
    note: str = "",
    unexpected: bool = False,
    counted: bool = False,
) -> Scanned:
    """What a code names has come out of the parcel, in a condition; a box with all sent in it,
    when somebody has counted that all of it is there.

    What stands on no line is refused until it is said to be unexpected, so that a misread
    code is no discrepancy. What was missing and comes later is found, also after the parcel
    was closed. The same scan again changes nothing. The first scan receives the parcel.
    """
    parcel = held_shipment(shipment, by, *_AFTER_SENDING)
    if condition not in Condition.values:
        raise ImpossibleError({"condition": [_("Say in which condition it came.")]})
    wall = on_the_clock(parcel, at)
    text, named = scanned(code, by)
    _received(parcel, wall, by)
    if isinstance(named, Box):
        lines = _lines_in(parcel, named, counted=counted)
        return _receive_box(parcel, named, lines, wall, condition, note, by)
    rows = ShipmentLine.objects.standing().filter(shipment=parcel, code=text)
    line = rows.select_related("aliquot").first()
    if line is None:
        if not unexpected:
            raise _not_listed(text, named, parcel, by)
        return _enter_unexpected(parcel, text, named, wall, condition, note, by)
    return _receive_line(parcel, line, wall, condition, note, by)


def _received(parcel: Shipment, wall: dt.datetime, by: User) -> None:
    """The first that comes out of a parcel receives it, by the person who scans."""
    if parcel.received_at is not None:
        return
    parcel.received_at, parcel.received_by_name = wall, by.full_name[:100]
    if parcel.state == ShipmentState.SENT:
        parcel.state = ShipmentState.RECEIVED
    change(parcel, "received_at", "received_by_name", "state")


def _not_listed(text: str, named: Aliquot | None, parcel: Shipment, by: User) -> ScanRefusedError:
    if named is None:
        refusal = unknown(text, by)
        headline, message = refusal.headline, str(refusal)
    else:
        headline = _("Not on the manifest")
        message = _("%(code)s was not packed into %(parcel)s.") % {
            "code": text,
            "parcel": parcel.code,
        }
    hint = _("If it is in the parcel all the same, tick “not on the manifest” and scan it again.")
    return ScanRefusedError(headline, f"{message} {hint}")


def _lines_in(parcel: Shipment, box: Box, *, counted: bool) -> list[ShipmentLine]:
    """What was sent in a box; before all of it is received at one scan it is counted."""
    rows = ShipmentLine.objects.standing().filter(shipment=parcel, box=box, in_box=True)
    lines = list(rows.select_related("aliquot").order_by("number"))
    if not lines:
        raise ScanRefusedError(
            _("Not on the manifest"),
            _("Box %(code)s was not sent whole. Scan its aliquots.") % {"code": box.code},
        )
    count = sum(each.state == LineState.PACKED for each in lines)
    if count and not counted:
        said = ngettext(
            "%(count)d aliquot of box %(code)s is to be received.",
            "%(count)d aliquots of box %(code)s are to be received.",
            count,
        ) % {"count": count, "code": box.code}
        hint = _("Are all there, tick “counted” and scan it again; if not, scan what is there.")
        raise ScanRefusedError(_("Count what is in the box"), f"{said} {hint}")
    return lines


def _receive_box(
    parcel: Shipment,
    box: Box,
    lines: list[ShipmentLine],
    wall: dt.datetime,
    condition: str,
    note: str,
    by: User,
) -> Scanned:
    waiting = [each for each in lines if each.state == LineState.PACKED]
    for line in waiting:
        _receive_line(parcel, line, wall, condition, note, by)
    count = len(waiting)
    return Scanned(
        tone="done" if waiting else "already",
        headline=ngettext("%(count)d aliquot received", "%(count)d aliquots received", count)
        % {"count": count},
        message=_("Box %(code)s") % {"code": box.code},
        lines=tuple(waiting or lines),
    )


def _receive_line(
    parcel: Shipment, line: ShipmentLine, wall: dt.datetime, condition: str, note: str, by: User
) -> Scanned:
    was = line.state
    if was == LineState.RECEIVED:
        return _again(parcel, line, wall, condition, note, by)
    if was == LineState.MISSING and condition != Condition.INTACT:
        _demand_note(note)
    assert line.aliquot is not None
    _refuse_elsewhere(
        parcel, line.aliquot, told=condition != Condition.INTACT and bool(note.strip())
    )
    line.state, line.condition = LineState.RECEIVED, condition
    line.received_at, line.received_by = wall, by
    names = ["state", "condition", "received_at", "received_by"]
    names += _explain(line, note, by) if note.strip() else []
    change_line(line, *names)
    _take_over(parcel, line.aliquot, line, wall, by)
    headline = _("Found again") if was == LineState.MISSING else _("Received")
    return Scanned(tone="done", headline=headline, message=_words_of(line), lines=(line,))


def _again(
    parcel: Shipment, line: ShipmentLine, wall: dt.datetime, condition: str, note: str, by: User
) -> Scanned:
    """A line that came already: another condition than intact is news, and so is whatever is
    said with its reason. Custody hears of it."""
    news = condition != line.condition and (condition != Condition.INTACT or note.strip())
    if not news:
        return Scanned(
            tone="already", headline=_("Already received"), message=_words_of(line), lines=(line,)
        )
    if parcel.state == ShipmentState.CLOSED:
        raise ScanRefusedError(
            _("Already received"), _("The shipment is closed: its conditions stay as they are.")
        )
    if line.explanation:
        _demand_note(note)
    line.condition = condition
    change_line(line, "condition", *(_explain(line, note, by) if note.strip() else []))
    _note_condition(parcel, line, wall, note, by)
    return Scanned(
        tone="done", headline=_("Condition noted"), message=_words_of(line), lines=(line,)
    )


def _note_condition(
    parcel: Shipment, line: ShipmentLine, wall: dt.datetime, note: str, by: User
) -> None:
    """Custody of a receipt that was said otherwise at first."""
    if line.aliquot is None:
        return
    (held,) = held_aliquots([line.aliquot])
    words = " · ".join(filter(None, (str(Condition(line.condition).label), note.strip())))
    if line.condition == Condition.THAWED and held.state == AliquotState.AWAY:
        _note_thawed(parcel, held, wall, words, by)
    elif held.shipment_id == parcel.pk and held.state in {AliquotState.AWAY, AliquotState.THAWED}:
        said = Happening(at=wall, shipment=parcel, place=parcel.destination, reason=words)
        enter(held, CustodyKind.CONDITION, by, said)


def _note_thawed(
    parcel: Shipment, aliquot: Aliquot, wall: dt.datetime, words: str, by: User
) -> None:
    """It came thawed; more often than the protocol allows it is an excursion."""
    thawed = aliquot.thaws < aliquot.thaws_at_most
    kind = CustodyKind.THAWED if thawed else CustodyKind.EXCURSION
    celsius = None if thawed else parcel.logger_celsius
    enter(aliquot, kind, by, Happening(at=wall, reason=words, celsius=celsius))


def _refuse_elsewhere(parcel: Shipment, aliquot: Aliquot, *, told: bool) -> None:
    """What has ended, or is at another destination, by its custody cannot come out of this
    parcel intact: it is a discrepancy that is told at once, or it is not received."""
    (held,) = held_aliquots([aliquot])
    here = held.state == AliquotState.AWAY and held.shipment_id == parcel.pk
    if told or here or held.state in {*_CAN_COME, AliquotState.LOST}:
        return
    said = _("By its custody %(code)s is “%(state)s”.")
    hint = _(
        "If it is in the parcel all the same, say its condition, such as a wrong label, and why."
    )
    raise ScanRefusedError(
        _("It cannot be here"),
        f"{said % {'code': held.code, 'state': held.get_state_display()}} {hint}",
    )


def _demand_note(note: str) -> None:
    """What was explained otherwise before is explained anew: that it was missing says nothing
    of the state in which it came."""
    if not note.strip():
        raise ImpossibleError({"note": [_("Say how this came about.")]})


def _words_of(line: ShipmentLine) -> str:
    said = [str(Condition(line.condition).label)]
    if not line.is_settled:
        said.append(_("to be explained"))
    return " · ".join(said)


def _enter_unexpected(
    parcel: Shipment,
    text: str,
    named: Aliquot | None,
    wall: dt.datetime,
    condition: str,
    note: str,
    by: User,
) -> Scanned:
    # Another site's aliquot is noted by its code; its custody is that site's to keep.
    own = named if named is not None and named.site_id == parcel.site_id else None
    aliquot = held_aliquots([own])[0] if own is not None else None
    if aliquot is not None and aliquot.state == AliquotState.PACKED:
        other = Shipment.objects.get(aliquots=aliquot)
        raise ScanRefusedError(
            _("In another shipment"),
            _("%(code)s is packed into %(other)s. Unpack it there first.")
            % {"code": text, "other": other.code},
        )
    line = ShipmentLine(
        site_id=parcel.site_id,
        subject_id=aliquot.subject_id if aliquot else None,
        shipment=parcel,
        number=next_line(parcel),
        aliquot=aliquot,
        code=text,
        state=LineState.RECEIVED,
        unexpected=True,
        condition=condition,
        received_at=wall,
        received_by=by,
        added_by=by,
        added_at=TrialNow(),
    )
    if note.strip():
        _explain(line, note, by)
    write_line(line)
    if aliquot is not None:
        _take_over(parcel, aliquot, line, wall, by)
    return Scanned(
        tone="done", headline=_("Not on the manifest"), message=_words_of(line), lines=(line,)
    )


def _take_over(
    parcel: Shipment, aliquot: Aliquot, line: ShipmentLine, wall: dt.datetime, by: User
) -> None:
    """Custody says the same as the line, as far as this can still happen to the aliquot."""
    (held,) = held_aliquots([aliquot])
    words = "" if line.condition == Condition.INTACT else str(Condition(line.condition).label)
    if held.state == AliquotState.LOST:
        reason = (
            line.explanation or words or _("Found at %(place)s") % {"place": parcel.destination}
        )
        enter(held, CustodyKind.FOUND, by, Happening(at=wall, reason=reason))
        follow_late_entry(held.specimen.subject, by)
        held = fresh(held)
    if held.state not in _CAN_COME:
        return
    said = Happening(at=wall, shipment=parcel, place=parcel.destination, reason=words)
    enter(held, CustodyKind.ARRIVED, by, said)
    if line.condition == Condition.THAWED:
        _note_thawed(parcel, held, wall, words, by)


@transaction.atomic
def report_missing(
    *, by: User, line: ShipmentLine, reason: str, at: dt.datetime | None = None
) -> ShipmentLine:
    """An aliquot was packed and has not come: it is lost, until somebody finds it.

    So is one that was received by mistake, as long as nothing else has happened to it.
    """
    parcel = held_shipment(line.shipment, by, *_ON_ITS_WAY)
    line = ShipmentLine.objects.select_related("aliquot").get(pk=line.pk)
    said = demand(reason)
    if line.state == LineState.MISSING:
        return line
    if line.unexpected or line.state == LineState.UNPACKED:
        raise TransitionError(_("%(code)s was not sent with this shipment.") % {"code": line.code})
    received = line.state == LineState.RECEIVED
    assert line.aliquot is not None
    (held,) = held_aliquots([line.aliquot])
    in_parcel = held.shipment_id == parcel.pk and held.is_elsewhere
    if received and not in_parcel:
        raise TransitionError(
            _("%(code)s has gone on since it was received: it is “%(state)s”.")
            % {"code": line.code, "state": held.get_state_display()}
        )
    line.state, line.condition = LineState.MISSING, ""
    line.received_at = line.received_by = None
    names = ["state", "condition", "received_at", "received_by"]
    with because(said):
        change_line(line, *names, *_explain(line, said, by))
    if in_parcel:
        wall = on_the_clock(parcel, at)
        enter(held, CustodyKind.LOST, by, Happening(at=wall, reason=said, place=parcel.code))
    return line


@transaction.atomic
def report_rest_missing(
    *, by: User, shipment: Shipment, reason: str, at: dt.datetime | None = None
) -> list[ShipmentLine]:
    """Everything that was packed and has not come, for one reason."""
    parcel = held_shipment(shipment, by, *_ON_ITS_WAY)
    demand(reason)
    rows = ShipmentLine.objects.filter(shipment=parcel, state=LineState.PACKED).order_by("number")
    lines = [report_missing(by=by, line=each, reason=reason, at=at) for each in rows]
    if not lines:
        raise TransitionError(_("Nothing is missing."))
    return lines


@transaction.atomic
def explain(*, by: User, line: ShipmentLine, reason: str) -> ShipmentLine:
    """Say how a discrepancy came about: unexpected, damaged, thawed, wrong label, missing."""
    held_shipment(line.shipment, by, *_AFTER_SENDING)
    line = ShipmentLine.objects.get(pk=line.pk)
    if not line.is_discrepant:
        raise DomainError(_("There is nothing to explain on this line."))
    said = demand(reason)
    with because(said):
        change_line(line, *_explain(line, said, by))
    return line


@transaction.atomic
def close_shipment(*, by: User, shipment: Shipment) -> Shipment:
    """Each line is received or explained: the parcel is done with."""
    parcel = held_shipment(shipment, by, *_ON_ITS_WAY)
    with connection.cursor() as cursor:
        cursor.execute("SELECT trialsite.open_lines(%s)", [parcel.pk])
        count = sum(cursor.fetchone()[0])
    if count:
        raise TransitionError(
            ngettext(
                "%(count)d line is neither received nor explained.",
                "%(count)d lines are neither received nor explained.",
                count,
            )
            % {"count": count}
        )
    parcel.state = ShipmentState.CLOSED
    parcel.closed_by, parcel.closed_at = by, trial_now()
    return change(parcel, "state", "closed_by", "closed_at")


def _explain(line: ShipmentLine, reason: str, by: User) -> list[str]:
    line.explanation = reason.strip()[:500]
    line.explained_by, line.explained_at = by, trial_now()
    return ["explanation", "explained_by", "explained_at"]

"""One scanned code, the step that is being done, and what came of it.

A scan does the chosen step and nothing else, and again for the same tube changes nothing:
a scanner that reads twice harms nobody.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from django.db import models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from samples.models import Aliquot, AliquotState, Box, Shipment, Specimen, SpecimenState
from samples.selectors.codes import Code, find, parent_of
from samples.services.aliquots import store_aliquot
from samples.services.facts import SpecimenFacts
from samples.services.specimens import (
    aliquot_specimen,
    centrifuge_specimen,
    collect_specimen,
    receive_specimen,
)
from trialsite.access.models import User
from trialsite.casebook.models import Visit
from trialsite.casebook.protocols import visit_name
from trialsite.core.exceptions import DomainError


class Step(models.TextChoices):
    """What a scan does."""

    FIND = "find", gettext_lazy("Look up")
    COLLECT = "collect", gettext_lazy("Collect")
    RECEIVE = "receive", gettext_lazy("Receive at the laboratory")
    SPIN = "spin", gettext_lazy("Centrifuge")
    ALIQUOT = "aliquot", gettext_lazy("Aliquot")
    FREEZE = "freeze", gettext_lazy("Freeze")


class ScanRefusedError(DomainError):
    """The code cannot be taken here; the headline says what it is, the message what to do."""

    def __init__(self, headline: str, message: str) -> None:
        super().__init__(message)
        self.headline = headline


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What holds for every scan until it is changed: the visit, the box, the centrifuge."""

    step: Step
    visit: Visit | None = None
    box: Box | None = None
    spun: SpecimenFacts = field(default_factory=SpecimenFacts)
    volume: Decimal | None = None
    #: The clock at the site; None is now.
    at: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a scan: `done`, `already` or `chosen`."""

    tone: str
    headline: str
    message: str = ""
    sample: Specimen | Aliquot | None = None
    setting: Setting
    made: tuple[Aliquot, ...] = ()


@transaction.atomic
def scan(*, text: str, setting: Setting, by: User) -> Answer:
    """Do the step with what a code names, or choose the box or shipment that it names.

    Raises ScanRefusedError for what is unknown, misread, of another subject or visit, or not
    of this step; DomainError where the step itself is refused. Nothing is then changed.
    """
    code = find(text, by)
    if isinstance(code.named, Box):
        return _choose_box(code.named, setting)
    if isinstance(code.named, Shipment):
        raise ScanRefusedError(_("A shipment"), _("%(code)s is a shipment.") % {"code": code.text})
    if code.named is None:
        raise unknown(code.text, by)
    _refuse_other(code.named, setting)
    if setting.step is Step.FIND:
        return Answer(tone="chosen", headline=code.text, sample=code.named, setting=setting)
    return _STEPS[setting.step](code.named, setting, by)


def unknown(text: str, by: User) -> ScanRefusedError:
    """What is wrong with a code that names nothing of the person's."""
    code = Code(text)
    if not code.text.strip("-"):
        return ScanRefusedError(_("Nothing was read"), _("Scan the label again."))
    if not code.is_whole:
        return ScanRefusedError(
            _("Misread"),
            _("“%(code)s” is no code of ours, or was not read whole. Scan it again.")
            % {"code": code.text},
        )
    tube = Specimen.objects.visible_to(by).filter(code=code.text).first()
    if tube is not None:
        return _not_the_tube(tube)
    parent = parent_of(code.text, by)
    if parent is not None:
        return ScanRefusedError(
            _("Not made yet"),
            _("%(code)s is printed for an aliquot of %(parent)s that has not been made.")
            % {"code": code.text, "parent": parent.code},
        )
    return ScanRefusedError(
        _("Unknown"), _("No sample of your sites has the code %(code)s.") % {"code": code.text}
    )


def _refuse_other(sample: Specimen | Aliquot, setting: Setting) -> None:
    """A tube of another participant, or of another visit, is stopped at the bench."""
    specimen = sample.specimen if isinstance(sample, Aliquot) else sample
    if specimen.voided_at is not None:
        raise ScanRefusedError(
            _("Voided"), _("This specimen has been voided: %(why)s") % {"why": specimen.void_reason}
        )
    if setting.visit is None:
        return
    if specimen.subject_id != setting.visit.subject_id:
        raise ScanRefusedError(
            _("Wrong participant"),
            _("%(code)s belongs to %(theirs)s. You are at %(ours)s.")
            % {
                "code": sample.code,
                "theirs": specimen.subject.label,
                "ours": setting.visit.subject.label,
            },
        )
    if specimen.visit_id != setting.visit.pk:
        raise ScanRefusedError(
            _("Wrong visit"),
            _("%(code)s was labelled for %(theirs)s. You are at %(ours)s.")
            % {
                "code": sample.code,
                "theirs": visit_name(specimen.visit),
                "ours": visit_name(setting.visit),
            },
        )


def _choose_box(box: Box, setting: Setting) -> Answer:
    where = str(box.rack) if box.rack else _("in no rack")
    return Answer(
        tone="chosen",
        headline=_("Box %(code)s") % {"code": box.code},
        message=where,
        setting=replace(setting, box=box),
    )


def _expect_specimen(sample: Specimen | Aliquot) -> Specimen:
    if isinstance(sample, Specimen):
        return sample
    raise ScanRefusedError(
        _("An aliquot"), _("%(code)s is an aliquot: freeze it.") % {"code": sample.code}
    )


def _expect_aliquot(sample: Specimen | Aliquot) -> Aliquot:
    if isinstance(sample, Aliquot):
        return sample
    raise _not_the_tube(sample)


def _not_the_tube(specimen: Specimen) -> ScanRefusedError:
    return ScanRefusedError(
        _("A specimen"),
        _("%(code)s is the tube itself. Scan its aliquots.") % {"code": specimen.code},
    )


def _of_specimen(
    sample: Specimen | Aliquot,
    setting: Setting,
    *,
    done: bool,
    act: Callable[[Specimen], Specimen],
    headline: str,
) -> Answer:
    specimen = _expect_specimen(sample)
    after = act(specimen)
    return Answer(
        tone="already" if done else "done",
        headline=_("Already: %(what)s") % {"what": headline} if done else headline,
        message=f"{after.kind_name} · {after.subject.label}",
        sample=after,
        setting=setting,
    )


def _collect(sample: Specimen | Aliquot, setting: Setting, by: User) -> Answer:
    return _of_specimen(
        sample,
        setting,
        done=sample.state != SpecimenState.PREPARED,
        act=lambda it: collect_specimen(specimen=it, by=by, at=setting.at),
        headline=_("Collected"),
    )


def _receive(sample: Specimen | Aliquot, setting: Setting, by: User) -> Answer:
    return _of_specimen(
        sample,
        setting,
        done=getattr(sample, "received_at", None) is not None,
        act=lambda it: receive_specimen(specimen=it, by=by, at=setting.at),
        headline=_("Received at the laboratory"),
    )


def _spin(sample: Specimen | Aliquot, setting: Setting, by: User) -> Answer:
    return _of_specimen(
        sample,
        setting,
        done=getattr(sample, "centrifuged_at", None) is not None,
        act=lambda it: centrifuge_specimen(specimen=it, by=by, at=setting.at, facts=setting.spun),
        headline=_("Centrifuged"),
    )


def _aliquot(sample: Specimen | Aliquot, setting: Setting, by: User) -> Answer:
    specimen = _expect_specimen(sample)
    done = specimen.state == SpecimenState.ALIQUOTED
    made = aliquot_specimen(specimen=specimen, by=by, at=setting.at, volume=setting.volume)
    said = _("%(count)d aliquots") % {"count": len(made)}
    return Answer(
        tone="already" if done else "done",
        headline=_("Already: %(what)s") % {"what": said} if done else said,
        message=f"{specimen.kind_name} · {specimen.subject.label}",
        sample=specimen,
        setting=setting,
        made=tuple(made),
    )


def _freeze(sample: Specimen | Aliquot, setting: Setting, by: User) -> Answer:
    aliquot = _expect_aliquot(sample)
    if setting.box is None:
        raise ScanRefusedError(_("No box"), _("Scan the box first."))
    done = aliquot.state == AliquotState.STORED
    after = store_aliquot(aliquot=aliquot, box=setting.box, by=by, at=setting.at)
    place = after.place_name
    late = _("Later than planned: %(minutes)d minutes after collection.")
    late = late % {"minutes": after.minutes_to_freeze or 0} if after.frozen_late else ""
    return Answer(
        tone="already" if done else "done",
        headline=_("Already in %(place)s") % {"place": place} if done else place,
        message=late or f"{after.specimen.kind_name} · {after.specimen.subject.label}",
        sample=after,
        setting=setting,
    )


_STEPS: dict[Step, Callable[[Specimen | Aliquot, Setting, User], Answer]] = {
    Step.COLLECT: _collect,
    Step.RECEIVE: _receive,
    Step.SPIN: _spin,
    Step.ALIQUOT: _aliquot,
    Step.FREEZE: _freeze,
}

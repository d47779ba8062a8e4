"""What PostgreSQL refuses of samples, said in words a person at the bench can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, models, transaction
from django.utils.translation import gettext_lazy as _

from samples.destruction_guards import NOT_ACCOUNTED, WITHDRAWN
from samples.guards import (
    IN_A_PARCEL,
    NO_POSITION,
    NO_SUCH_STEP,
    OUT_OF_ORDER,
    UNWITNESSED,
    VOIDED,
)
from samples.shipment_guards import LINES_OPEN, NOT_PERMITTED, NOT_SO_FAR
from samples.tube_guards import STILL_KEPT, TOO_MUCH
from trialsite.crf.violations import ImpossibleError, refusal_of, said_by

_STATES = {
    NO_SUCH_STEP: ("", _("This cannot happen to the sample in its present state.")),
    OUT_OF_ORDER: ("happened_at", _("Something that comes before it is dated later.")),
    NO_POSITION: ("position", _("There is no such position, or the box is closed.")),
    VOIDED: ("", _("This specimen has been voided.")),
    UNWITNESSED: ("witness", _("Destroying is witnessed by a second person.")),
    IN_A_PARCEL: ("", _("Samples of this participant are in a parcel that is not closed.")),
    NOT_SO_FAR: ("", _("This cannot be done with the shipment in its present state.")),
    NOT_PERMITTED: ("permission", _("No export permission is in force for this shipment.")),
    LINES_OPEN: ("", _("Lines of this shipment are open, or nothing is packed.")),
    WITHDRAWN: ("", _("The consent for samples is withdrawn: this sample is to be destroyed.")),
    STILL_KEPT: ("", _("Aliquots of it are still kept. Discard them first, with the reason.")),
    TOO_MUCH: ("amount", _("The aliquots would hold more than was collected.")),
    NOT_ACCOUNTED: ("", _("Not every sample is destroyed or explained yet.")),
}
_UNIQUE = {
    "position_holds_one": ("position", _("This position is taken.")),
    "place_holds_one_box": ("place", _("Another box stands there.")),
    "freezer_name_once": ("name", _("This site has a freezer of this name.")),
    "rack_name_once": ("name", _("This freezer has a rack of this name.")),
    "not_collected_once": ("", _("This has been stated already.")),
    "line_aliquot_in_one_open_shipment": ("code", _("It is packed into another shipment.")),
    "line_code_once": ("code", _("It is on this manifest already.")),
    "permission_number_once": ("number", _("A permission with this number is recorded.")),
}
#: Beside which field a constraint of ours speaks.
_FIELDS = {
    "specimen_times_in_order": "happened_at",
    "specimen_amount_is_something": "amount",
    "specimen_bristol_scale": "bristol",
    "specimen_stool_items_of_stool": "bristol",
    "specimen_urine_items_of_urine": "urine_method",
    "specimen_drawn_if_blood": "draw_site",
    "aliquot_volume_not_negative": "amount",
    "custody_says_why": "reason",
    "custody_amount_is_something": "amount",
    "custody_destroyed_is_witnessed": "witness",
    "freezer_is_cold": "celsius",
    "excursion_of_one_place": "where",
    "excursion_ends_after_it_began": "ended_at",
    "excursion_says_what_happened": "celsius",
    "rack_holds_boxes": "places",
    "box_has_positions": "rows",
    "label_again_needs_a_reason": "reason",
    "not_collected_other_is_explained": "comment",
    "shipment_says_where_to": "destination",
    "shipment_received_after_it_was_sent": "received_at",
    "shipment_cancelled_iff_reason": "reason",
    "shipment_dry_ice_not_negative": "dry_ice",
    "shipment_sent_is_timed": "packages",
    "line_received_iff_timed": "condition",
    "line_missing_is_explained": "reason",
    "permission_says_for_whom": "number",
    "permission_ends_after_it_begins": "valid_until",
    "permission_revoked_iff_reason": "reason",
}


@contextmanager
def sample_refusals(*tables: type[models.Model]) -> Iterator[None]:
    """Turn a refusal of the database into one that says what is wrong, beside its field."""
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        refusal = _refusal(tables, error)
        if refusal is None:
            raise
        raise refusal from error


def _refusal(tables: tuple[type[models.Model], ...], error: DatabaseError) -> Exception | None:
    cause = error.__cause__
    state = getattr(cause, "sqlstate", "") or ""
    name = getattr(getattr(cause, "diag", None), "constraint_name", None) or ""
    found = _STATES.get(state) or _UNIQUE.get(name)
    if found is not None:
        return ImpossibleError({found[0]: [str(found[1])]})
    for table in tables:
        for constraint in table._meta.constraints:
            if constraint.name == name and isinstance(constraint, models.CheckConstraint):
                return ImpossibleError({_FIELDS.get(name, ""): [said_by(constraint)]})
    return refusal_of(tables[0], error)

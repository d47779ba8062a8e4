"""The dataset of codes given to what sites wrote; superseded ones with their time."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trialsite.access.models import User
from trialsite.crf.models import DICTIONARIES, Coding
from trialsite.exports.casebook import KEYS, RECORDS, SITES, SUBJECTS
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets

CODINGS, PEOPLE = Coding._meta.db_table, User._meta.db_table
_LEVELS = dict.fromkeys(level for levels in DICTIONARIES.values() for level in levels)


@register_datasets
def coded() -> list[Dataset]:
    levels = [
        Column(name=f"{level}{suffix}", sql=f"c.levels #>> '{{{level},{part}}}'", label=label)
        for level in _LEVELS
        for suffix, part, label in (
            ("", "term", f"{level}"),
            ("CD", "code", _("%(level)s code") % {"level": level}),
        )
    ]
    return [
        Dataset(
            name="codings",
            title=_("Codes of terms"),
            columns=(
                *KEYS,
                Column(name="FORM", sql="r.form_oid", label=_("Form")),
                Column(name="RECORD", sql="c.record_id", label=_("Record"), kind=Kind.ID),
                Column(name="ROW", sql="c.row_id", label=_("Row"), kind=Kind.ID),
                Column(name="ITEM", sql="c.item_oid", label=_("Item")),
                Column(name="VERBATIM", sql="c.verbatim", label=_("As written")),
                Column(name="DICTIONARY", sql="c.dictionary", label=_("Dictionary")),
                Column(name="VERSION", sql="c.version", label=_("Version of the dictionary")),
                Column(name="CODE", sql="c.code", label=_("Code")),
                Column(name="TERM", sql="c.term", label=_("Term")),
                *levels,
                Column(
                    name="CODEDBY",
                    sql=f"(SELECT p.full_name FROM {PEOPLE} p WHERE p.id = c.coded_by_id)",
                    label=_("Coded by"),
                ),
                Column(name="CODED", sql="c.coded_at", label=_("Coded"), kind=Kind.MOMENT),
                Column(
                    name="SUPERSEDED",
                    sql="c.superseded_at",
                    label=_("Superseded"),
                    kind=Kind.MOMENT,
                ),
            ),
            source=f"{CODINGS} c JOIN {RECORDS} r ON r.id = c.record_id "
            f"JOIN {SUBJECTS} s ON s.id = c.subject_id JOIN {SITES} t ON t.id = s.site_id",
            where="r.voided_at IS NULL",
            site="c.site_id",
            order='t.code COLLATE "C", s.screening_number COLLATE "C", c.coded_at, c.id',
        )
    ]

"""The Standard PREanalytical Code of each aliquot as a dataset, element by element."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from samples.selectors.sprec import sprec_rows
from trialsite.exports.registry import Column, Dataset, register_datasets

#: The elements of a fluid sample's code, in their order.
ELEMENTS = (
    _("SPREC 1: type of sample"),
    _("SPREC 2: type of primary container"),
    _("SPREC 3: delay before centrifuging"),
    _("SPREC 4: centrifuging"),
    _("SPREC 5: second centrifuging"),
    _("SPREC 6: delay after centrifuging"),
    _("SPREC 7: long-term storage"),
)


@register_datasets
def sprec() -> list[Dataset]:
    return [
        Dataset(
            name="samples_sprec",
            title=_("Preanalytical codes of aliquots (SPREC)"),
            columns=(
                Column(name="SITEID", label=_("Site"), sdtm="DM.SITEID"),
                Column(name="SUBJID", label=_("Subject number"), sdtm="DM.SUBJID"),
                Column(name="SCRNID", label=_("Screening number")),
                Column(name="BSREFID", label=_("Code"), sdtm="BS.BSREFID"),
                Column(name="SPECTYP", label=_("Specimen"), sdtm="BS.BSSPEC"),
                Column(name="SPREC", label=_("Preanalytical code (SPREC)")),
                *(
                    Column(name=f"SPREC{number}", label=label)
                    for number, label in enumerate(ELEMENTS, 1)
                ),
            ),
            site="site",
            rows=sprec_rows,
        )
    ]

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from .text import Text
from .values import Interval, Key, Label, Value

SpecimenKey = Annotated[str, Key(r"[A-Z0-9_]{1,20}", "capital letters, digits, underscores")]


class SpecimenMatrix(StrEnum):
    BLOOD = "blood"
    URINE = "urine"
    FAECES = "faeces"
    EFFLUENT = "effluent"


class AliquotTube(StrEnum):
    """What aliquots are kept in, as SPREC tells containers apart."""

    PP_SMALL = "pp_40_to_500_ul"
    PP = "pp_0.5_to_2_ml"
    PP_LARGE = "pp_from_5_ml"
    CRYOTUBE = "cryotube_1_to_2_ml"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenDef:
    """One kind of specimen of the kit. `tube_type` is its SPREC code, volumes are mL (faeces:
    g), times to the freezer minutes from collection."""

    key: SpecimenKey
    name: Text
    matrix: SpecimenMatrix
    tube_type: str = ""
    tubes: Annotated[Interval, Value("Tubes", "管数")]
    amount: Annotated[Interval | None, Value("Amount", "采集量")] = None
    amount_unit: str = "mL"
    aliquots: Annotated[int, Value("Aliquots", "分装数")]
    freeze_within_minutes: Annotated[
        int, Value("In the freezer within, minutes", "冻存时限（分钟）")
    ]
    on_ice: Annotated[bool, Value("On ice", "冰上运送")] = False
    storage_celsius: Annotated[int, Value("Stored at, Cel", "保存温度（℃）")]


class OptionalConsent(StrEnum):
    """The optional questions of a consent form."""

    FUTURE_USE = "future_use"
    GENETIC_ANALYSIS = "genetic_analysis"
    LATER_CONTACT = "later_contact"
    DATA_SHARING = "data_sharing"


_Consents = tuple[OptionalConsent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingRules:
    """When a parcel is overdue, and to which optional questions of the consent form a
    participant must have said yes for what is done with the material."""

    received_within_days: Annotated[
        int, Value("Received within days of handing over", "交运后应签收天数")
    ]
    consents_abroad: Annotated[
        _Consents, Value("Consents for shipping abroad", "出境所需的知情同意选项")
    ] = ()
    consents_genetic: Annotated[
        _Consents, Value("Consents for genetic analysis", "基因分析所需的知情同意选项")
    ] = ()
    consents_later: Annotated[
        _Consents, Value("Consents for later research", "后续研究所需的知情同意选项")
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePlan:
    """The sample kit and the rules of its handling."""

    thaws_at_most: Annotated[int, Value("Thaws at most", "最多冻融次数")]
    export_needs_permission: Annotated[
        bool, Value("Shipping abroad needs a permission", "出境须经批准")
    ]
    centrifuge_g: Annotated[Interval | None, Value("Centrifuge, g", "离心力（g）")] = None
    centrifuge_minutes: Annotated[
        Interval | None, Value("Centrifuge, minutes", "离心时间（分钟）")
    ] = None
    aliquot_tube: Annotated[AliquotTube | None, Value("Aliquots are kept in", "分装管类型")] = None
    shipping: Annotated[ShippingRules | None, Label("Shipments", "样本运输")] = None
    specimens: tuple[SpecimenDef, ...] = ()

    def specimen(self, key: str) -> SpecimenDef:
        """The specimen with this key; unknown: LookupError."""
        for specimen in self.specimens:
            if specimen.key == key:
                return specimen
        message = f"The protocol has no specimen {key}."
        raise LookupError(message)

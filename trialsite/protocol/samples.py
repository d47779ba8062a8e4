from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from .text import Text
from .values import Interval, Key, Value

SpecimenKey = Annotated[str, Key(r"[A-Z0-9_]{1,20}", "capital letters, digits, underscores")]


class SpecimenMatrix(StrEnum):
    BLOOD = "blood"
    URINE = "urine"
    FAECES = "faeces"
    EFFLUENT = "effluent"


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
    specimens: tuple[SpecimenDef, ...] = ()

    def specimen(self, key: str) -> SpecimenDef:
        """The specimen with this key; unknown: LookupError."""
        for specimen in self.specimens:
            if specimen.key == key:
                return specimen
        message = f"The protocol has no specimen {key}."
        raise LookupError(message)

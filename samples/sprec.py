"""The Standard PREanalytical Code of an aliquot: how it was handled before it is analysed.

ISBER Biospecimen Science Working Group: Lehmann et al., Biopreserv Biobank 2012;10:366-374
(version 2.0, doi 10.1089/bio.2012.0012, table 1, fluid samples); Betsou et al., Biopreserv
Biobank 2018;16:9-12 (version 3.0) adds options to it. Only the letters of which this study
can have need stand here, as table 1 has them. A code is computed from what was recorded and
typed by nobody: what is not known is X (XXX), what the standard has no letter for is Z (ZZZ).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from trialsite.protocol.samples import AliquotTube, SpecimenMatrix

UNKNOWN, OTHER, NONE = "X", "Z", "N"
UNKNOWN_3, OTHER_3 = "XXX", "ZZZ"

#: Primary containers from which serum comes; from the others with an additive, plasma.
_SERUM_TUBES = ("SST", "CAT")
#: Element 3, delay from collection to processing: below so many hours, at room temperature
#: and at 2 to 10 °C.
_BEFORE = ((2, "A", "B"), (4, "C", "D"), (8, "E", "F"), (12, "G", "H"), (24, "I", "J"),
           (48, "K", "L"))  # fmt: skip
_BEFORE_LONGER = ("M", "N")
#: Element 6, delay from centrifuging to storage: the same.
_AFTER = ((1, "B", "A"), (2, "D", "C"), (8, "F", "E"), (24, "H", "G"))
_AFTER_LONGER = ("J", "I")
#: Element 4, for 10 to 15 minutes with brake: up to so many g, at room temperature and cool.
_SPUN = ((6000, "E", "F"), (10_000, "G", "H"))
_SPUN_FASTER = ("I", "J")
#: °C at which the standard speaks of room temperature, and of cool.
_ROOM, _COOL = range(18, 29), range(2, 11)
#: Element 7: container -> letters at -60 to -85 °C, at -18 to -35 °C, below -135 °C.
_KEPT = {
    AliquotTube.PP: ("A", "B", "V"),
    AliquotTube.PP_SMALL: ("S", "T", "W"),
    AliquotTube.PP_LARGE: ("J", "K", OTHER),
    # In nitrogen a cryotube is C, where it was not frozen by a programme; else it has none.
    AliquotTube.CRYOTUBE: ("D", OTHER, "C"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """What was recorded of an aliquot and its tube; None: nobody has said."""

    matrix: str
    tube_type: str
    collected_at: dt.datetime | None
    #: When it was centrifuged; of what is not centrifuged, when it was divided.
    processed_at: dt.datetime | None
    spun: bool
    on_ice: bool | None
    g: int | None
    minutes: int | None
    celsius: int | None
    brake: bool | None
    kept_cool: bool | None
    frozen_at: dt.datetime | None
    container: AliquotTube | None
    #: The temperature of the freezer in which it is kept, or was last.
    stored_celsius: int | None


@dataclass(frozen=True, slots=True)
class Sprec:
    """The seven elements of a fluid sample's code, in their order."""

    sample: str
    container: str
    before: str
    first_spin: str
    second_spin: str
    after: str
    storage: str

    @property
    def elements(self) -> tuple[str, ...]:
        return (self.sample, self.container, self.before, self.first_spin, self.second_spin,
                self.after, self.storage)  # fmt: skip

    @property
    def is_complete(self) -> bool:
        """Whether every element is known."""
        return not {UNKNOWN, UNKNOWN_3} & set(self.elements)

    def __str__(self) -> str:
        return "-".join(self.elements)


def sprec(it: Handling) -> Sprec:
    """The code of an aliquot by what was recorded of it."""
    return Sprec(
        sample=_sample(it),
        container=it.tube_type or UNKNOWN_3,
        before=_delay(it.collected_at, it.processed_at, _BEFORE, _BEFORE_LONGER, cool=it.on_ice),
        first_spin=_spin(it) if it.spun else NONE,
        # A tube is centrifuged once: its custody has no second time.
        second_spin=NONE,
        after=_delay(it.processed_at, it.frozen_at, _AFTER, _AFTER_LONGER, cool=it.kept_cool)
        if it.spun
        else NONE,
        storage=_storage(it),
    )


def _sample(it: Handling) -> str:
    if it.matrix == SpecimenMatrix.BLOOD:
        if not it.spun:
            return "BLD"
        return "SER" if it.tube_type in _SERUM_TUBES else "PL1"
    return {SpecimenMatrix.URINE: "URN", SpecimenMatrix.FAECES: "STL"}.get(
        SpecimenMatrix(it.matrix), OTHER_3
    )


def _delay(
    since: dt.datetime | None,
    until: dt.datetime | None,
    bands: tuple[tuple[int, str, str], ...],
    longer: tuple[str, str],
    *,
    cool: bool | None,
) -> str:
    if since is None or until is None or cool is None:
        return UNKNOWN
    passed = until - since
    for hours, warm_letter, cool_letter in bands:
        if passed < dt.timedelta(hours=hours):
            return cool_letter if cool else warm_letter
    return longer[cool]


def _spin(it: Handling) -> str:
    if it.g is None or it.minutes is None or it.celsius is None or it.brake is None:
        return UNKNOWN
    cool = it.celsius in _COOL
    if it.minutes == 30 and it.g < 1000 and not it.brake and it.celsius in _ROOM:
        return "M"
    if not 10 <= it.minutes <= 15 or not (cool or it.celsius in _ROOM):
        return OTHER
    if it.g < 3000:
        return {(False, False): "A", (False, True): "B", (True, False): "C", (True, True): "D"}[
            cool, it.brake
        ]
    if not it.brake:
        return OTHER
    for most, warm_letter, cool_letter in _SPUN:
        if it.g <= most:
            return cool_letter if cool else warm_letter
    return _SPUN_FASTER[cool]


def _storage(it: Handling) -> str:
    if it.container is None or it.stored_celsius is None or it.frozen_at is None:
        return UNKNOWN
    deep, cold, nitrogen = _KEPT[it.container]
    if -85 <= it.stored_celsius <= -60:
        return deep
    if -35 <= it.stored_celsius <= -18:
        return cold
    return nitrogen if it.stored_celsius < -135 else OTHER

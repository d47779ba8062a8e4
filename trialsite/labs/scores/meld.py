"""The MELD family. Its unit factors belong to the formula: others flip whole numbers.

UNOS and MELD-Na: OPTN policy of 2016. MELD 3.0: Kim et al., Gastroenterology 2021, and
OPTN policy of 2023. Aetiology: the first published form with its aetiology term, in the
coefficients usual in Chinese hospitals.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from functools import lru_cache

from .score import PRECISION, Number, Score, ScoreInput, Used, half_up, number, settled, word

ALGORITHM = "MELD"
UNOS = "unos"
MELD_NA_2016 = "meld_na_2016"
MELD_3_0 = "meld_3_0"
AETIOLOGY = "aetiology"
VERSIONS = (UNOS, MELD_NA_2016, MELD_3_0, AETIOLOGY)

#: µmol/L in 1 mg/dL
BILIRUBIN_FACTOR = Decimal("17.104")
CREATININE_FACTOR = Decimal("88.4")
#: g/L in 1 g/dL
ALBUMIN_FACTOR = Decimal(10)

DISPLAYED = (6, 40)
_ONE = Decimal(1)


def meld(
    *,
    version: str = UNOS,
    floors: bool = True,
    bilirubin: Number = None,
    inr: Number = None,
    creatinine: Number = None,
    sodium: Number = None,
    albumin: Number = None,
    female: bool | None = None,
    dialysis: bool | None = None,
    alcoholic_or_biliary: bool | None = None,
) -> Score:
    """The score in one of VERSIONS; bilirubin and creatinine in µmol/L, albumin in g/L.

    `dialysis`: twice in seven days, or 24 hours of continuous treatment; creatinine is then
    the cap. `floors` is a choice of the aetiology version alone; the others define theirs.
    """
    common = (
        _amount("bilirubin", bilirubin, BILIRUBIN_FACTOR),
        number("inr", inr, "{INR}", low=_ONE),
    )
    clamped = number("sodium", sodium, "mmol/L", low=Decimal(125), high=Decimal(137))
    if version == AETIOLOGY:
        return _aetiology(
            bilirubin, inr, creatinine, alcoholic_or_biliary=alcoholic_or_biliary, floors=floors
        )
    if version == MELD_3_0:
        others = (
            *_creatinine(creatinine, Decimal(3), dialysis=dialysis),
            clamped,
            number("albumin", albumin, "g/L", low=Decimal(15), high=Decimal(35)),
            word("female", female),
        )
        return settled(ALGORITHM, version, (*common, *others), _meld_3_0, limits=DISPLAYED)
    optn = (*common, *_creatinine(creatinine, Decimal(4), dialysis=dialysis))
    if version == MELD_NA_2016:
        return settled(ALGORITHM, version, (*optn, clamped), _meld_na, limits=DISPLAYED)
    if version == UNOS:
        return settled(ALGORITHM, version, optn, _unos, limits=DISPLAYED)
    message = f"MELD has no version {version}."
    raise LookupError(message)


def _amount(
    name: str, given: Number, factor: Decimal, *, floor: bool = True, cap: Decimal | None = None
) -> ScoreInput:
    """An amount in µmol/L whose floor is 1 mg/dL and whose cap is `cap` mg/dL."""
    return number(
        name,
        given,
        "umol/L",
        low=factor if floor else None,
        high=None if cap is None else cap * factor,
    )


def _creatinine(
    given: Number, cap: Decimal, *, dialysis: bool | None
) -> tuple[ScoreInput, ScoreInput]:
    """Creatinine and dialysis; on dialysis creatinine counts as `cap`, measured or not."""
    measured = _amount("creatinine", given, CREATININE_FACTOR, cap=cap)
    if dialysis:
        measured = ScoreInput(
            name=measured.name,
            value=measured.value,
            unit=measured.unit,
            used=cap * CREATININE_FACTOR,
            source_id=measured.source_id,
        )
    return measured, word("dialysis", dialysis)


def _logarithms(used: Used) -> tuple[Decimal, Decimal, Decimal]:
    """ln of bilirubin and creatinine in mg/dL, and of INR."""
    return (
        _ln(used["bilirubin"] / BILIRUBIN_FACTOR),
        _ln(used["creatinine"] / CREATININE_FACTOR),
        _ln(used["inr"]),
    )


@lru_cache(maxsize=1024)
def _ln(amount: Decimal) -> Decimal:
    """The logarithm, once for all versions that take it of the same amount."""
    with localcontext(Context(prec=PRECISION)):
        return amount.ln()


def _unos(used: Used) -> Decimal:
    bilirubin, creatinine, inr = _logarithms(used)
    return 10 * (
        Decimal("0.957") * creatinine
        + Decimal("0.378") * bilirubin
        + Decimal("1.120") * inr
        + Decimal("0.643")
    )


def _meld_na(used: Used) -> Decimal:
    """The policy rounds the initial score, before sodium."""
    initial = half_up(_unos(used))
    if initial <= 11:
        return initial
    below = 137 - used["sodium"]
    return initial + Decimal("1.32") * below - Decimal("0.033") * initial * below


def _meld_3_0(used: Used) -> Decimal:
    bilirubin, creatinine, inr = _logarithms(used)
    sodium = 137 - used["sodium"]
    albumin = Decimal("3.5") - used["albumin"] / ALBUMIN_FACTOR
    return (
        Decimal("1.33") * used["female"]
        + Decimal("4.56") * bilirubin
        + Decimal("0.82") * sodium
        - Decimal("0.24") * sodium * bilirubin
        + Decimal("9.09") * inr
        + Decimal("11.14") * creatinine
        + Decimal("1.85") * albumin
        - Decimal("1.83") * albumin * creatinine
        + 6
    )


def _aetiology(
    bilirubin: Number,
    inr: Number,
    creatinine: Number,
    *,
    alcoholic_or_biliary: bool | None,
    floors: bool,
) -> Score:
    inputs = (
        _amount("bilirubin", bilirubin, BILIRUBIN_FACTOR, floor=floors),
        number("inr", inr, "{INR}", low=_ONE if floors else None),
        _amount("creatinine", creatinine, CREATININE_FACTOR, floor=floors),
        word("alcoholic_or_biliary", alcoholic_or_biliary),
        word("floors", floors),
    )
    return settled(ALGORITHM, AETIOLOGY, inputs, _by_aetiology)


def _by_aetiology(used: Used) -> Decimal:
    bilirubin, creatinine, inr = _logarithms(used)
    return (
        Decimal("3.78") * bilirubin
        + Decimal("11.2") * inr
        + Decimal("9.57") * creatinine
        + Decimal("6.43") * (1 - used["alcoholic_or_biliary"])
    )

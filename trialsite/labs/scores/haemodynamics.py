"""Mean arterial pressure and estimated plasma volume."""

from __future__ import annotations

from decimal import Decimal

from .score import Number, Score, Used, number, settled

MEAN_ARTERIAL_PRESSURE = "MAP"
PLASMA_VOLUME = "PLASMA_VOLUME"
VERSION = "1"

#: Litres of blood in a kilogram of body weight.
_BLOOD_PER_KG = Decimal("0.07")


def mean_arterial_pressure(*, systolic: Number = None, diastolic: Number = None) -> Score:
    """(SBP + 2 DBP) / 3 in mm[Hg]."""
    inputs = (number("systolic", systolic, "mm[Hg]"), number("diastolic", diastolic, "mm[Hg]"))
    return settled(MEAN_ARTERIAL_PRESSURE, VERSION, inputs, _mean, places=1)


def _mean(used: Used) -> Decimal:
    return (used["systolic"] + 2 * used["diastolic"]) / 3


def plasma_volume(*, weight: Number = None, haematocrit: Number = None) -> Score:
    """0.07 x kg x (1 - haematocrit) in litres; the haematocrit in per cent."""
    inputs = (number("weight", weight, "kg"), number("haematocrit", haematocrit, "%"))
    return settled(PLASMA_VOLUME, VERSION, inputs, _plasma, places=2)


def _plasma(used: Used) -> Decimal:
    return _BLOOD_PER_KG * used["weight"] * (100 - used["haematocrit"]) / 100

"""UCUM units as people write them; what is stored and exchanged stays UCUM."""

from __future__ import annotations

import re

_WORDS = {
    "mm[Hg]": "mmHg",
    "Cel": "°C",
    "[degF]": "°F",
    "[lb_av]": "lb",
    "[pH]": "",
    "[in_i]": "in",
    "[Ch]": "Fr",
}
_MICRO = re.compile(r"(?<![a-zA-Z])u(?=(mol|g|kat|m|L)\b)")
_POWER = re.compile(r"10\*(\d)")
_ANNOTATED = re.compile(r"(?<=.)\{(\w{1,20})\}")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def unit_label(unit: str) -> str:
    """A UCUM unit as it is printed on paper; one that only annotates a number is left out."""
    if unit in _WORDS:
        return _WORDS[unit]
    if unit.startswith("{"):
        return ""
    text = _POWER.sub(lambda found: "×10" + found[1].translate(_RAISED), unit)
    text = _MICRO.sub("µ", text.replace("[IU]", "IU"))
    return _ANNOTATED.sub(r" (\1)", text)

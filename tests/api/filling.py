"""Entry for any form, made from its definition alone."""

from __future__ import annotations

from hypothesis import strategies as st

from trialsite.crf.items import Item, items_of
from trialsite.crf.models import ItemData

_PLAIN = {
    "datetime": "2026-03-05T14:30",
    "date": "2026-03-05",
    "time": "14:30",
    "partialDate": "2026-03",
    "boolean": "true",
    "text": "好 =1+1",
}

#: Where two items bound each other, a value that suits both.
_KNOWN = {
    "systolic": "118",
    "diastolic": "70",
    "heart_rate": "80",
    "oxygen_support": "OXYGEN",
    "oxygen_saturation": "98",
    "weight": "60.5",
    "height": "168",
    "birth_date": "1980-05-06",
    "childbearing": "false",
    "gcs": "10T",
    "identity_first": "Li",
    "identity_second": "Wang",
    "wrong_in_time": "0",
    "wrong_in_place": "1",
    "rucam": "7",
    "started_on": "2026-02",
    "ended_on": "2026-03-05",
    "ongoing": "false",
}


#: A time of day stands beside these, so the day is a whole one.
_KNOWN_ITEMS = {
    "I.AE.AESTDAT": "2026-02-03",
    "I.DTH.DTHDAT": "2026-03-05",
    "I.LT.LTDAT": "2026-03-05",
    "I.AEG.DTC": "2026-03-04",
}


def text_for(name: str, item: Item) -> str:
    """A value this item accepts."""
    if item.oid in _KNOWN_ITEMS:
        return _KNOWN_ITEMS[item.oid]
    if name in _KNOWN:
        return _KNOWN[name]
    if item.choices:
        return str(item.choices[0][0])
    if item.data_type == "integer":
        return "20"
    if item.data_type == "float":
        return "36.5"
    return _PLAIN[item.data_type]


def texts_for(table: type[ItemData]) -> dict[str, str]:
    """A page of this form, filled in."""
    return {name: text_for(name, item) for name, item in items_of(table).items()}


def typed(item: Item) -> st.SearchStrategy[str]:
    """What may be typed into an item, sensible or not."""
    options = [st.just(""), st.just(text_for(item.name, item)), st.text(max_size=20)]
    if item.data_type in {"integer", "float"}:
        options += [
            st.integers(-1000, 10**12).map(str),
            st.decimals(-1000, 1000, places=3).map(str),
            st.sampled_from(["1e3", "NaN", "１２０", "12o", "-0", "0.0", " 7 "]),
        ]
    return st.one_of(options)


@st.composite
def pages(draw: st.DrawFn, table: type[ItemData]) -> dict[str, str]:
    """A page's fields as a person might leave them."""
    texts: dict[str, str] = {}
    items = items_of(table)
    names = st.lists(st.sampled_from(list(items)), unique=True, max_size=5)
    for name in draw(names):
        item = items[name]
        texts[name] = draw(typed(item))
        if draw(st.booleans()):
            texts[f"{name}.missing"] = draw(st.sampled_from(["", "ND", "UNK", "because", "NA"]))
        if draw(st.booleans()) and item.units:
            texts[f"{name}.unit"] = draw(st.sampled_from([*item.units, "furlong"]))
        if draw(st.booleans()):
            texts[f"{name}.confirm"] = draw(st.text(max_size=600))
    return texts


def as_payload(table: type[ItemData], texts: dict[str, str]) -> dict[str, dict[str, str]]:
    """The same page as a client of the API would send it."""
    payload: dict[str, dict[str, str]] = {
        "values": {},
        "units": {},
        "missing": {},
        "confirmed": {},
    }
    parts = {"": "values", "unit": "units", "missing": "missing", "confirm": "confirmed"}
    for field, text in texts.items():
        name, _, suffix = field.partition(".")
        payload[parts[suffix]][name] = text
    return payload

"""Sealing, masking and finding: what a ciphertext tells, and to whom."""

from __future__ import annotations

import base64
import os
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.identity import (
    FIELDS,
    Keys,
    Kind,
    TamperedError,
    UnusableKeyError,
    blind,
    mask,
    normalised,
    read_keys,
    seal,
    unseal,
)
from tests.screening.people import persons

pytestmark = pytest.mark.requirement("PR1")

ENTRY, OTHER = uuid.uuid4(), uuid.uuid4()
TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)


def key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


@pytest.fixture(scope="module")
def keys() -> Keys:
    return read_keys([f"k2:{key()}", f"k1:{key()}"], key())


@given(text=TEXTS, field=st.sampled_from(FIELDS))
def test_whatever_is_sealed_opens_where_it_belongs(keys, text, field):
    assert (
        unseal(keys, seal(keys, text, entry=ENTRY, field=field), entry=ENTRY, field=field) == text
    )


@pytest.mark.parametrize(
    "place",
    [
        {"entry": OTHER, "field": "name"},
        {"entry": ENTRY, "field": "phone"},
        {"entry": ENTRY, "field": "name", "kind": Kind.MASK},
    ],
)
def test_a_ciphertext_moved_elsewhere_does_not_open(keys, place):
    sealed = seal(keys, "欧阳懿萱", entry=ENTRY, field="name")
    with pytest.raises(TamperedError):
        unseal(keys, sealed, **place)


def test_no_altered_character_passes(keys):
    sealed = seal(keys, "13800001111", entry=ENTRY, field="phone")
    start = len("v1.k2.")
    for position in range(start, len(sealed) - 1):
        other = "A" if sealed[position] != "A" else "B"
        altered = sealed[:position] + other + sealed[position + 1 :]
        with pytest.raises(TamperedError):
            unseal(keys, altered, entry=ENTRY, field="phone")


def test_a_ciphertext_under_another_keys_name_does_not_open(keys):
    sealed = seal(keys, "x", entry=ENTRY, field="name").replace("v1.k2.", "v1.k1.")
    with pytest.raises(TamperedError):
        unseal(keys, sealed, entry=ENTRY, field="name")


def test_a_ciphertext_tells_neither_length_nor_equality(keys):
    sealed = {seal(keys, text, entry=ENTRY, field="name") for text in ("林", "林", "林" * 19)}
    assert len(sealed) == 3
    assert len({len(each) for each in sealed}) == 1


def test_the_keys_do_not_print_themselves(keys):
    assert repr(keys) == "Keys(k2, k1)"


@pytest.mark.parametrize(
    ("sealing", "finding", "words"),
    [
        ([], key(), "holds no key"),
        ([key()], key(), "given as id:key"),
        ([f"K 1:{key()}"], key(), "given as id:key"),
        ([f"k1:{key()}", f"k1:{key()}"], key(), "twice"),
        (["k1:short"], key(), "k1 of IDENTITY_KEYS"),
        (["k1:" + base64.urlsafe_b64encode(b"x" * 31).decode()], key(), "32 bytes"),
        ([f"k1:{key()}"], "", "IDENTITY_INDEX_KEY"),
        (["k1:" + "A" * 43 + "="], "A" * 43 + "=", "must not be one of"),
    ],
    ids=[
        "no key",
        "without id",
        "a blank in the id",
        "one id twice",
        "no base64",
        "31 bytes",
        "no index key",
        "one key for both",
    ],
)
def test_keys_that_cannot_be_used_are_refused_without_being_repeated(sealing, finding, words):
    with pytest.raises(UnusableKeyError, match=words) as refused:
        read_keys(sealing, finding)
    for text in (*sealing, finding):
        secret = text.partition(":")[2]
        assert not secret or secret not in str(refused.value)


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("phone", "138 0000 1111", "+86-138-0000-1111"),
        ("phone", "13800001111", "0086 13800001111"),
        ("phone", "13800001111", "１３８００００１１１１"),
        ("name", "Li  Na", "LI NA"),
        ("name", "欧阳 懿萱", "欧阳懿萱"),
        ("name", "Zoë", "Zoe\u0308"),
        ("hospital_number", "zy-00012345", "ZY00012345"),
    ],
)
def test_the_same_identifier_written_otherwise_is_found(keys, field, one, other):
    assert blind(keys, field, one) == blind(keys, field, other)


def test_identifiers_that_differ_are_not_the_same(keys):
    indexes = {
        blind(keys, name, text) for person in persons() for name, text in person.said.items()
    }
    assert len(indexes) == 600
    assert blind(keys, "phone", "12345") != blind(keys, "hospital_number", "12345")
    assert normalised("phone", "8613800001111") != normalised("phone", "8612345")


def test_without_the_index_key_nothing_is_found(keys):
    stranger = read_keys([f"k1:{key()}"], key())
    assert blind(keys, "phone", "1") != blind(stranger, "phone", "1")
    assert keys.index_id != stranger.index_id


@pytest.mark.parametrize(
    ("field", "text", "shown"),
    [
        ("name", "林黛玉", "林**"),
        ("name", "林一", "林**"),
        ("name", "林", "**"),
        ("name", "Nora Nurse", "N**"),
        ("phone", "13800001234", "138****1234"),
        ("phone", "+86 138 0000 1234", "861****1234"),
        ("phone", "55512", "****12"),
        ("hospital_number", "00123456", "****3456"),
        ("hospital_number", "A1", "****1"),
        ("hospital_number", "7", "****"),
    ],
)
def test_a_mask_tells_rows_apart_and_no_more(field, text, shown):
    assert mask(field, text) == shown

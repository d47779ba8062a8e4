"""Numbers that people read aloud and type, with a check character.

ISO 7064 MOD 37,36 finds every single wrong character and nearly every swap.
"""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def check_character(text: str) -> str:
    """The ISO 7064 MOD 37,36 check character; characters outside 0-9A-Z are passed over."""
    product = 36
    for character in _characters(text):
        product = (product + ALPHABET.index(character)) % 36 or 36
        product = product * 2 % 37
    return ALPHABET[(37 - product) % 36]


def with_check(text: str) -> str:
    """`text` followed by a hyphen and its check character."""
    return f"{text}-{check_character(text)}"


def is_valid(text: str) -> bool:
    """Whether the last character is the check character of the rest."""
    characters = _characters(text)
    return len(characters) > 1 and check_character(characters[:-1]) == characters[-1]


def _characters(text: str) -> str:
    return "".join(character for character in text.upper() if character in ALPHABET)

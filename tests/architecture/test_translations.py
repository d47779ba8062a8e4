"""The catalogues: complete, faithful to their placeholders, and really translated."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
from django.conf import settings

from trialsite.core import catalogues

#: Words that stay as they are in every language: products, formats, standards, protocols.
SAME_EVERYWHERE = {"API", "CSV", "JPEG", "NDJSON", "PDF", "PNG", "SHA", "Trialsite", "UTC", "WebP"}
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[ds]|\{\w*\}")
WORD = re.compile(r"[A-Za-z]{2,}")
IN_TEMPLATE = re.compile(r'{%\s*translate\s+"([^"]+)"')
IN_FILTER = re.compile(r'{{[^}]*_\("([^"]+)"\)')

languages = pytest.mark.parametrize("language", catalogues.languages())


@functools.cache
def collected() -> dict[catalogues.Message, str]:
    """Every message in use; the whole code is read for it."""
    return catalogues.collect()


def pairs(language: str) -> list[tuple[str, str]]:
    """Each message beside each of its translated forms; a plural beside its plural."""
    found = []
    for entry in catalogues.read(language):
        if not entry.id:
            continue
        if isinstance(entry.id, str):
            assert isinstance(entry.string, str)
            found.append((entry.id, entry.string))
        else:
            found += [(str(entry.id[-1]), str(text)) for text in entry.string or ()]
    return found


def placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text))


def untranslated(message: str, text: str) -> bool:
    return message == text and bool(set(WORD.findall(text)) - SAME_EVERYWHERE)


def templates() -> list[Path]:
    root = Path(settings.BASE_DIR)
    return sorted(each for top in catalogues.TOPS for each in root.glob(f"{top}/**/*.html"))


@languages
def test_the_catalogue_holds_exactly_the_messages_in_use(language):
    assert catalogues.gaps(language) == []


@languages
def test_placeholders_are_the_same_on_both_sides(language):
    differing = [
        f"{message!r} -> {text!r}"
        for message, text in pairs(language)
        if placeholders(message) != placeholders(text)
    ]
    assert not differing


def test_the_comparison_sees_a_changed_placeholder():
    assert placeholders("%(a)s of %(b)d, 21 % on air") == ["%(a)s", "%(b)d"]
    assert placeholders("%(a)s") != placeholders("%(a)d")


@languages
def test_nothing_is_left_in_the_language_of_the_code(language):
    assert [message for message, text in pairs(language) if untranslated(message, text)] == []


def test_a_word_left_standing_is_noticed():
    assert untranslated("Save", "Save")
    assert not untranslated("CSV", "CSV")


def test_messages_are_found_in_code_and_in_templates():
    found = collected()
    places = {Path(place).suffix for place in found.values()}
    assert {".py", ".html", ".txt"} <= places
    assert ("Data manager", None) in found
    assert ("Complete and next", None) in found
    assert (("%(days)s day left", "%(days)s days left"), None) in found


def template_ids() -> set[str]:
    """Every literal that a template asks for, read by a second, simpler eye."""
    return {
        text
        for path in templates()
        for pattern in (IN_TEMPLATE, IN_FILTER)
        for text in pattern.findall(path.read_text("utf-8"))
    }


def test_every_literal_of_every_template_is_collected():
    found = {m if isinstance(m, str) else m[0] for m, _context in collected()}
    wanted = {text.replace("%", "%%") for text in template_ids()}
    assert len(wanted) > 100
    assert wanted - found == set()

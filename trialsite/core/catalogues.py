"""Translations without GNU gettext: collected, checked and compiled by Babel.

Templates go through Django's own `templatize`, so what is found here is what gettext
will be asked for.
"""

from __future__ import annotations

import datetime as dt
import io
import tokenize
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from babel.messages import Catalog, mofile, pofile
from babel.messages.extract import extract
from django.conf import settings
from django.utils.translation.template import templatize

KEYWORDS = {
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "_": None,
}

#: The folders with code and templates of ours.
TOPS = ("trialsite", "screening", "visits", "outcomes", "samples")

Message = tuple[str | tuple[str, ...], str | None]


def languages() -> list[str]:
    """The languages that need a catalogue: all but the one the code is written in."""
    return [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def path_of(language: str) -> Path:
    """The catalogue's source file."""
    locale = {"zh-hans": "zh_Hans"}.get(language, language)
    return Path(settings.LOCALE_PATHS[0]) / locale / "LC_MESSAGES" / "django.po"


def collect() -> dict[Message, str]:
    """Every message of our code and templates -> the first place it stands in."""
    found: dict[Message, str] = {}
    root = Path(settings.BASE_DIR)
    for path in sorted([each for top in TOPS for each in root.glob(f"{top}/**/*")]):
        if path.suffix not in {".py", ".html", ".txt"} or "migrations" in path.parts:
            continue
        if path.suffix == ".txt" and "templates" not in path.parts:
            continue
        for message in _messages(path):
            found.setdefault(message, path.relative_to(root).as_posix())
    return found


def _messages(path: Path) -> Iterator[Message]:
    source = path.read_text("utf-8")
    if path.suffix != ".py":
        source = _as_python(templatize(source, origin=str(path)))
    stream = io.BytesIO(source.encode())
    for _line, message, _comments, context in extract("python", stream, KEYWORDS):
        yield (message if isinstance(message, str) else tuple(message)), context


def _as_python(source: str) -> str:
    """Only the gettext calls of a templatized template, one a line: Babel reads Python.

    Line by line, for a comment of the template becomes one of Python and ends its line.
    """
    return "\n".join(call for line in source.splitlines() for call in _calls(line.strip()))


def _calls(line: str) -> Iterator[str]:
    tokens: list[tokenize.TokenInfo] = []
    with suppress(tokenize.TokenError, IndentationError):
        tokens.extend(tokenize.generate_tokens(io.StringIO(line).readline))
    for position, token in enumerate(tokens):
        if token.type == tokenize.NAME and token.string in KEYWORDS:
            call, depth = [token.string], 0
            for part in tokens[position + 1 :]:
                call.append(part.string)
                depth += (part.string == "(") - (part.string == ")")
                if depth == 0:
                    break
            yield " ".join(call)


def read(language: str) -> Catalog:
    """The catalogue of a language, empty where there is none yet."""
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=path.parent.parent.name, domain="django")
    with path.open("rb") as handle:
        return pofile.read_po(handle, locale=path.parent.parent.name)


def gaps(language: str) -> list[str]:
    """What is wrong with a language's catalogue: missing, empty, fuzzy or no longer used."""
    catalogue, wanted = read(language), collect()
    problems = []
    for (message, context), place in wanted.items():
        entry = catalogue.get(message, context)
        texts = (
            entry.string if entry and isinstance(entry.string, tuple) else (entry and entry.string,)
        )
        if not entry or not all(texts):
            problems.append(f"missing: {place}: {message!r}")
        elif entry.fuzzy:
            problems.append(f"fuzzy: {message!r}")
    keys = {(_key(message), context) for message, context in wanted}
    problems += [
        f"unused: {entry.id!r}"
        for entry in catalogue
        if entry.id and (_key(entry.id), entry.context) not in keys
    ]
    return problems


def _key(message: str | tuple[str, ...] | list[str]) -> str:
    return message if isinstance(message, str) else message[0]


def update(language: str) -> int:
    """Write the catalogue with exactly the messages in use; the number still to translate."""
    old, fresh = read(language), _empty(path_of(language).parent.parent.name)
    open_ones = 0
    for (message, context), place in sorted(collect().items(), key=lambda pair: str(pair[0])):
        before = old.get(message, context)
        string = before.string if before else ""
        open_ones += not string
        fresh.add(message, string, locations=[(place, 0)], context=context)
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as handle:
        pofile.write_po(handle, fresh, width=100, omit_header=False, include_lineno=False)
    return open_ones


def _empty(locale: str) -> Catalog:
    """A catalogue whose header changes only when its messages do."""
    return Catalog(
        locale=locale,
        domain="django",
        header_comment="# Translations of Trialsite's interface.",
        project="Trialsite",
        version="1",
        msgid_bugs_address="maintainers@example.org",
        last_translator="Trialsite",
        language_team="Trialsite",
        creation_date=_FIXED,
        revision_date=_FIXED,
        fuzzy=False,
    )


_FIXED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def compile_catalogue(language: str) -> Path:
    """Write the binary catalogue that gettext reads, if its source is newer."""
    source = path_of(language)
    target = source.with_suffix(".mo")
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        with target.open("wb") as handle:
            mofile.write_mo(handle, read(language))
    return target

"""From nodes to section dataclasses, keeping every problem and every source on the way.

The dataclasses are the schema: a field's annotation says how it is written, and a key that
is no field is refused. A section with a problem is left out, so that the rest is still read
and all problems are reported together.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin

from .fields import FieldSpec, key_of, only_value_of, specs
from .nodes import Mapping, Node, Scalar
from .problems import Mark, Problem
from .provenance import Leaf
from .rules import Rule
from .scalars import MisreadError, can_read, read_value
from .text import Text
from .values import WRITABLE_SOURCES, Source, Value, canonical

_SEPARATOR = " · "
_NAMELESS = Text(en="", zh="")
_SOURCES = ", ".join(WRITABLE_SOURCES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where reading stands: dotted path, the source in force, and words for people."""

    path: str = ""
    source: Source | None = None
    label: Text = _NAMELESS

    def below(self, name: str) -> "Place":
        return replace(self, path=f"{self.path}.{name}" if self.path else name)

    def named(self, label: Text) -> "Place":
        """The place with these words after the words it has."""
        joined = Text(
            en=_SEPARATOR.join(filter(None, (self.label.en, label.en))),
            zh=_SEPARATOR.join(filter(None, (self.label.zh, label.zh))),
        )
        return replace(self, label=joined)


class Reader:
    """Reads one document. Afterwards `problems` says whether the result may be used."""

    def __init__(self, rules: Map[str, type[Rule]]) -> None:
        self.problems: list[Problem] = []
        self.leaves: dict[str, Leaf] = {}
        self.marks: dict[str, Mark] = {}
        self.names: dict[str, tuple[str, ...]] = {}
        self._rules = rules

    def fields(
        self, section: type, node: Node, at: Place, *, skip: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The readable fields of a section; those with a problem are absent."""
        if not isinstance(node, Mapping):
            self.report(node.mark, at, "Write a section of `name: value` lines here.")
            return {}
        at = self._described(section, node, self._sourced(node, at))
        known = {spec.name: spec for spec in specs(section) if not spec.key}
        for name in skip:
            del known[name]
        self._refuse_unknown(node, at, known)
        read: dict[str, Any] = {}
        for spec in known.values():
            self._field(spec, node, at, read)
        return read

    def section(self, section: type, node: Node, at: Place, **given: str) -> Any | None:
        """An instance of a section dataclass, or None after a problem in it."""
        self.marks[at.path] = node.mark
        already = len(self.problems)
        skip = ("kind",) if issubclass(section, Rule) else ()
        read = self.fields(section, _without(node, skip), at)
        own = (problem.path.rpartition(".")[0] for problem in self.problems[already:])
        wanted = {spec.name for spec in specs(section) if spec.required and not spec.key}
        return None if at.path in own or wanted - read.keys() else section(**given, **read)

    def report(self, mark: Mark, at: Place, message: str) -> None:
        self.problems.append(Problem.at(mark, at.path, message))

    def _field(self, spec: FieldSpec, node: Mapping, at: Place, read: dict[str, Any]) -> None:
        here = at.below(spec.name)
        child = node.entries.get(spec.name)
        if child is None:
            if spec.required:
                self.report(node.mark, here, f"{spec.name} is missing; add it.")
            return
        if isinstance(child, Scalar) and child.is_null and spec.nullable:
            return
        value = self._read(spec, child, here)
        if value is not None:
            read[spec.name] = value

    def _read(self, spec: FieldSpec, node: Node, at: Place) -> Any | None:
        if spec.hint is Text:
            return self._text(spec.value, node, at)
        if can_read(spec.hint):
            return self._leaf(spec, node, at)
        if spec.label:
            at = at.named(spec.label.text)
        if get_origin(spec.hint) is tuple:
            return self._keyed(get_args(spec.hint)[0], node, at)
        if spec.hint is Rule:
            return self._rule(node, at)
        return self.section(spec.hint, node, at)

    def _leaf(self, spec: FieldSpec, node: Node, at: Place) -> object | None:
        if spec.value:
            at = at.named(spec.value.text)
            node, at = self._unwrapped(node, at)
        try:
            value = read_value(spec.hint, node)
        except MisreadError as error:
            self.report(error.mark, at, error.message)
            return None
        self._keep(spec.value, value, node, at)
        return value

    def _keep(self, mark: Value | None, value: object, node: Node, at: Place) -> None:
        self.marks[at.path] = node.mark
        if mark and at.source is None:
            self.report(node.mark, at, f"No source is given; write `source:` with {_SOURCES}.")
        self._note(at.path, value, at.source if mark else None, at.label)

    def _note(
        self, path: str, value: object, source: Source | None, label: Text, authority: str = ""
    ) -> None:
        self.leaves[path] = Leaf(
            path=path, value=canonical(value), source=source, label=label, authority=authority
        )

    def _text(self, mark: Value | None, node: Node, at: Place) -> Text | None:
        words: dict[str, str] = {}
        entries = node.entries if isinstance(node, Mapping) else {}
        if isinstance(node, Mapping):
            at = self._sourced(node, at)
            self._refuse_unknown(node, at, ("en", "zh"))
        for language in ("en", "zh"):
            child = entries.get(language)
            if not isinstance(child, Scalar) or not child.text.strip():
                message = f"The {language} wording is missing; write both en and zh."
                self.report((child or node).mark, at.below(language), message)
            else:
                words[language] = " ".join(child.text.split())
        if len(words) < 2:
            return None
        if mark:
            at = at.named(mark.text)
        self._keep(mark, words["en"], node, at.below("en"))
        authority = "translation" if mark else ""
        self._note(f"{at.path}.zh", words["zh"], None, at.label, authority)
        return Text(en=words["en"], zh=words["zh"])

    def _keyed(self, section: type, node: Node, at: Place) -> tuple[Any, ...] | None:
        key = key_of(section)
        if not isinstance(node, Mapping) or key is None or key.key is None:
            self.report(node.mark, at, "Write `name: ...` lines here, one for each.")
            return None
        at = self._sourced(node, at)
        names = [name for name in node.entries if name != "source"]
        self.marks[at.path] = node.mark
        self.names[at.path] = tuple(names)
        self._note(at.path, tuple(names), None, at.label)
        members = []
        for name in names:
            mark, here = node.key_marks[name], at.below(name)
            if not re.fullmatch(key.key.pattern, name):
                self.report(mark, here, f"{name!r} is not {key.key.description}.")
                continue
            child = self._expanded(section, node.entries[name], mark)
            member = self.section(section, child, here, **{key.name: name})
            self.marks[here.path] = mark
            if member is not None:
                members.append(member)
        return tuple(members)

    def _expanded(self, section: type, node: Node, mark: Mark) -> Node:
        only = only_value_of(section)
        if only is None or isinstance(node, Mapping):
            return node
        return Mapping(mark=mark, entries={only.name: node}, key_marks={only.name: mark})

    def _rule(self, node: Node, at: Place) -> Rule | None:
        kind = node.entries.get("kind") if isinstance(node, Mapping) else None
        if not isinstance(kind, Scalar):
            self.report(node.mark, at.below("kind"), "The rule has no kind; name one.")
            return None
        rule = self._rules.get(kind.text)
        if rule is None:
            advice = _closest(kind.text, self._rules)
            self.report(kind.mark, at.below("kind"), f"No rule kind {kind.text!r}; {advice}")
            return None
        self._note(f"{at.path}.kind", kind.text, None, at.label)
        made = self.section(rule, node, at)
        return made if isinstance(made, Rule) else None

    def _unwrapped(self, node: Node, at: Place) -> tuple[Node, Place]:
        """The value of `{value: ..., source: ...}` and the place with that source."""
        if not isinstance(node, Mapping):
            return node, at
        at = self._sourced(node, at)
        self._refuse_unknown(node, at, ("value",))
        return node.entries.get("value", Scalar(text="", plain=True, mark=node.mark)), at

    def _sourced(self, node: Mapping, at: Place) -> Place:
        written = node.entries.get("source")
        if written is None:
            return at
        if isinstance(written, Scalar) and written.text in WRITABLE_SOURCES:
            return replace(at, source=Source(written.text))
        self.report(written.mark, at.below("source"), f"The source is one of {_SOURCES}.")
        return replace(at, source=Source.ASSUMPTION)

    def _described(self, section: type, node: Mapping, at: Place) -> Place:
        """The place with the section's own name, where it has one, in front of its fields."""
        name = node.entries.get("name")
        words = name.entries if isinstance(name, Mapping) else {}
        en, zh = words.get("en"), words.get("zh")
        if isinstance(en, Scalar) and isinstance(zh, Scalar):
            return at.named(Text(en=en.text, zh=zh.text))
        tail = at.path.rpartition(".")[2] if key_of(section) else ""
        return at.named(Text(en=tail, zh=tail))

    def _refuse_unknown(self, node: Mapping, at: Place, known: Iterable[str]) -> None:
        names = tuple(known)
        for name, mark in _unknown(node, names):
            self.report(mark, at.below(name), f"Unknown key {name!r}; {_closest(name, names)}")


def _unknown(node: Mapping, known: tuple[str, ...]) -> Iterator[tuple[str, Mark]]:
    for name in node.entries:
        if name not in known and name != "source":
            yield name, node.key_marks[name]


def _without(node: Node, names: tuple[str, ...]) -> Node:
    if not names or not isinstance(node, Mapping):
        return node
    return replace(node, entries={k: v for k, v in node.entries.items() if k not in names})


def _closest(name: str, known: Iterable[str]) -> str:
    options = sorted(known)
    near = difflib.get_close_matches(name, options, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(options)}."

"""A YAML document as a tree of nodes that know their line.

Only scalars, lists and mappings are read: no tags, anchors or aliases, so nothing in a file
can make objects or grow on expansion. Scalars stay text; what they mean is decided by the
field they are read into, so that `0.1` never passes through a binary float.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from .problems import Mark, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 16
MAX_NODES = 50_000

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A single written value; `plain` when it stands without quotes."""

    text: str
    plain: bool
    mark: Mark

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in {"", "~", "null"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    mark: Mark
    members: list["Node"] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    mark: Mark
    entries: dict[str, "Node"] = field(default_factory=dict)
    key_marks: dict[str, Mark] = field(default_factory=dict)


Node = Scalar | Sequence | Mapping


class UnreadableError(Exception):
    """The text is not a document at all; reading stopped at one problem."""

    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(message)
        self.problem = Problem.at(mark, "", message)


def parse(text: str) -> tuple[Mapping, list[Problem]]:
    """The document's top mapping, and the duplicate or unusable keys found in it.

    Refuses with UnreadableError: broken syntax, tabs, tags, anchors, aliases, a second
    document, more than MAX_BYTES, MAX_DEPTH or MAX_NODES.
    """
    start = Mark(line=1, column=1)
    if len(text.encode()) > MAX_BYTES:
        raise UnreadableError(start, f"The file is larger than {MAX_BYTES} bytes; shorten it.")
    try:
        builder = _Builder()
        for event in _bounded(yaml.parse(text, Loader=_Loader)):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = _mark(error.problem_mark or error.context_mark)
        raise UnreadableError(mark, _advice(error, text, mark)) from None
    except yaml.YAMLError as error:
        raise UnreadableError(start, f"Not YAML text: {error}") from None
    if not isinstance(builder.root, Mapping):
        raise UnreadableError(start, "The file is a mapping of sections; this is not.")
    return builder.root, builder.problems


def _mark(mark: object) -> Mark:
    line, column = getattr(mark, "line", 0), getattr(mark, "column", 0)
    return Mark(line=line + 1, column=column + 1)


def _advice(error: yaml.MarkedYAMLError, text: str, mark: Mark) -> str:
    lines = text.splitlines()
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    if "\t" in line[: mark.column]:
        return "A tab stands where spaces are needed; indent with spaces."
    said = ", ".join(filter(None, (error.context, error.problem)))
    return f"The YAML cannot be read here ({said}). Check indentation, quotes and brackets."


def _bounded(events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
    """The events, refused as soon as one is outside what a protocol file may contain."""
    depth = 0
    documents = 0
    counter = itertools.count(1)
    for event in events:
        mark = _mark(event.start_mark)
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            raise UnreadableError(mark, "A second document starts here; keep one per file.")
        if depth > MAX_DEPTH:
            raise UnreadableError(mark, f"Nested deeper than {MAX_DEPTH} levels; flatten it.")
        if next(counter) > MAX_NODES:
            raise UnreadableError(mark, f"More than {MAX_NODES} values; shorten the file.")
        if getattr(event, "anchor", None) is not None:
            raise UnreadableError(mark, "Anchors and aliases are not used; write the value out.")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise UnreadableError(mark, f"Tags are not used; remove {tag!r}.")
        yield event


class _Builder:
    """Makes the tree from events without recursion."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[Sequence | Mapping] = []
        self._keys: list[Scalar | None] = []

    def take(self, event: yaml.Event) -> None:
        mark = _mark(event.start_mark)
        match event:
            case yaml.ScalarEvent():
                self._place(Scalar(text=event.value, plain=not event.style, mark=mark))
            case yaml.SequenceStartEvent():
                self._enter(Sequence(mark=mark))
            case yaml.MappingStartEvent():
                self._enter(Mapping(mark=mark))
            case yaml.CollectionEndEvent():
                self._open.pop()
                self._keys.pop()

    def _enter(self, node: Sequence | Mapping) -> None:
        self._place(node)
        self._open.append(node)
        self._keys.append(None)

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, Sequence):
            parent.members.append(node)
            return
        key = self._keys[-1]
        if key is None:
            self._keys[-1] = self._as_key(node)
        else:
            self._keys[-1] = None
            self._add(parent, key, node)

    def _as_key(self, node: Node) -> Scalar:
        if isinstance(node, Scalar):
            return node
        raise UnreadableError(node.mark, "A key must be a single word, not a list or mapping.")

    def _add(self, parent: Mapping, key: Scalar, node: Node) -> None:
        if key.text in parent.entries:
            first = parent.key_marks[key.text].line
            message = f"The key repeats line {first}; keep one of the two."
            self.problems.append(Problem.at(key.mark, key.text, message))
            return
        parent.entries[key.text] = node
        parent.key_marks[key.text] = key.mark

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from .text import Text
from .values import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One value of a protocol file: its dotted path, canonical text, source and label.

    `source` is None for labels, codes and structure. `authority` is the path of the value
    whose source also covers this one (the translation covers every translated wording).
    """

    path: str
    value: str
    source: Source | None
    label: Text
    authority: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """A value that neither listing nor registry gives and nobody has confirmed yet.

    `path` is its stable id. `value` is the canonical text a signature should keep, so that
    the confirmation of one value is never read as the confirmation of a later one.
    """

    path: str
    value: str
    label: Text

    @property
    def section(self) -> str:
        """The part of the protocol it belongs to, for grouping on a page."""
        return self.path.partition(".")[0]


class UnknownPathError(LookupError):
    """A path that is not in this version of the protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The source of every value of one protocol version, and what has been confirmed."""

    leaves: Mapping[str, Leaf]
    confirmed: frozenset[str] = frozenset()

    def source_of(self, path: str) -> Source | None:
        """The source of a value, None for labels and structure. Unknown: UnknownPathError."""
        leaf = self._leaf(path)
        if leaf.authority:
            return self.source_of(leaf.authority)
        if leaf.source is Source.ASSUMPTION and path in self.confirmed:
            return Source.CONFIRMED
        return leaf.source

    def assumptions(self) -> tuple[Assumption, ...]:
        """Every assumption not yet confirmed, in the order of the file."""
        return tuple(
            Assumption(path=leaf.path, value=leaf.value, label=leaf.label)
            for leaf in self.leaves.values()
            if not leaf.authority and self.source_of(leaf.path) is Source.ASSUMPTION
        )

    def with_confirmed(self, paths: Iterable[str]) -> "Provenance":
        """The same values with these assumptions confirmed. Unknown: UnknownPathError."""
        confirmed = frozenset(self._leaf(path).path for path in paths)
        return replace(self, confirmed=self.confirmed | confirmed)

    def content_hash(self) -> str:
        """SHA-256 (hex) over paths, canonical values and sources: the same for two files
        that differ only in layout, comments or order of fields. Confirmations stay out."""
        rows = sorted((leaf.path, leaf.value, leaf.source) for leaf in self.leaves.values())
        text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _leaf(self, path: str) -> Leaf:
        try:
            return self.leaves[path]
        except KeyError:
            message = f"The protocol has no value at {path!r}."
            raise UnknownPathError(message) from None

from dataclasses import dataclass

from .definition import Protocol
from .provenance import Leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value that differs between two protocol versions; None where it is absent.

    The path of a collection stands for its members and their order.
    """

    path: str
    old: Leaf | None
    new: Leaf | None


def diff(old: Protocol, new: Protocol) -> tuple[Change, ...]:
    """What an amendment changes, sorted by path: values, wordings, labels and sources.
    Empty exactly when both have the same content hash."""
    before, after = old.provenance.leaves, new.provenance.leaves
    return tuple(
        Change(path=path, old=before.get(path), new=after.get(path))
        for path in sorted(before.keys() | after.keys())
        if _content(before.get(path)) != _content(after.get(path))
    )


def _content(leaf: Leaf | None) -> tuple[str, str | None] | None:
    return (leaf.value, leaf.source) if leaf else None

from collections.abc import Collection, Mapping
from pathlib import Path

from .consistency import Known, inconsistencies
from .definition import Protocol
from .nodes import Mapping as MappingNode
from .nodes import UnreadableError, parse
from .problems import Mark, Problem, ProtocolError
from .provenance import Provenance
from .reading import Place, Reader
from .rules import CATALOGUE, Rule
from .schedule import EventRole, Schedule

STUDIES = Path(__file__).parent / "studies"

_DERIVED = ("provenance", "content_hash")


def study_path(code: str) -> Path:
    """The protocol file shipped under this code; unknown: LookupError naming those shipped."""
    shipped = {path.stem: path for path in STUDIES.glob("*.yaml")}
    try:
        return shipped[code.lower()]
    except KeyError:
        message = f"No protocol file {code!r}; shipped are {', '.join(sorted(shipped))}."
        raise LookupError(message) from None


def load(
    path: Path,
    *,
    known_forms: Collection[str] | None = None,
    known_roles: Collection[str] | None = None,
    known_items: Collection[str] | None = None,
    rules: Mapping[str, type[Rule]] = CATALOGUE,
) -> Protocol:
    """The protocol in this file, wholly valid. Otherwise ProtocolError with every problem.

    Form OIDs, role names and item OIDs are checked only against the collections given. Nothing is
    cached here. An absent file raises OSError.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        mark = Mark(line=before.count(b"\n") + 1, column=1)
        problem = Problem.at(mark, "", "This line is not UTF-8 text; save the file as UTF-8.")
        raise ProtocolError(path.name, (problem,)) from None
    return load_text(
        text,
        name=path.name,
        known_forms=known_forms,
        known_roles=known_roles,
        known_items=known_items,
        rules=rules,
    )


def load_text(
    text: str,
    *,
    name: str = "protocol",
    known_forms: Collection[str] | None = None,
    known_roles: Collection[str] | None = None,
    known_items: Collection[str] | None = None,
    rules: Mapping[str, type[Rule]] = CATALOGUE,
) -> Protocol:
    """As `load`, from text, such as the text an earlier version was stored under."""
    try:
        root, problems = parse(text)
    except UnreadableError as error:
        raise ProtocolError(name, (error.problem,)) from None
    reader = Reader(rules)
    parts = reader.fields(Protocol, root, Place(), skip=_DERIVED)
    problems += reader.problems
    known = Known(forms=known_forms, roles=known_roles, items=known_items)
    problems += inconsistencies(parts, reader, known)
    if not problems:
        problems += _missing_roles(parts["schedule"], reader, root)
    if problems:
        raise ProtocolError(name, tuple(sorted(set(problems))))
    provenance = Provenance(leaves=reader.leaves)
    return Protocol(**parts, provenance=provenance, content_hash=provenance.content_hash())


def _missing_roles(schedule: Schedule, reader: Reader, root: MappingNode) -> list[Problem]:
    """One screening and one day-zero event stand in every schedule."""
    mark = reader.marks.get("schedule.events", root.mark)
    return [
        Problem.at(mark, "schedule.events", f"Exactly one event needs the role {role.value}.")
        for role in (EventRole.SCREENING, EventRole.DAY_ZERO)
        if len(schedule.with_role(role)) != 1
    ]

"""Let what happened in the story happen to its copies: one statement for all of them.

What PostgreSQL's own triggers did is told by the trail as well. Where only they may do it, the
statement is refused, and they do it again when that comes which they follow; where anybody
may, it is done already when its turn comes. `proof` sees that every row came out the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache

from django.db import DatabaseError, connection, transaction

from trialsite.audit.models import Operation
from trialsite.casebook.models import CrfRecord
from trialsite.core.context import acting
from trialsite.crf.hashing import hash_of, said_in
from trialsite.crf.registry import form
from trialsite.demo.bulk.beside import invent_people, keep_papers_of
from trialsite.demo.bulk.covered import copied
from trialsite.demo.bulk.retold import MOST, Retold, key_of
from trialsite.demo.bulk.statements import insert_into, key_column, told_of, update_of
from trialsite.demo.bulk.trail import IDENTITY, PAPERS, Step
from trialsite.demo.clock import clock_led

_RECORDS = CrfRecord._meta.db_table
#: The classes of errors that the study's own guards raise.
_OURS = "TS"
#: Whoever has the n-th place in the story has it in a copy behind all who came before.
_NOTE_ACT = """
SELECT trialsite.note_act(r.told ->> 'act', (r.told ->> 'site')::integer,
  (r.told ->> 'subject')::uuid, (r.told ->> 'record')::uuid,
  CASE WHEN r.told -> 'details' ? 'place'
    THEN jsonb_set(r.told -> 'details', '{{place}}', to_jsonb(
      (r.told -> 'details' ->> 'place')::integer + (r.told ->> 'before')::integer
      + (r.told ->> 'places')::integer * r.copy))
    ELSE r.told -> 'details' END)
FROM ({told}) r ORDER BY r.copy"""


@dataclass(slots=True)
class Replay:
    """Some copies at once."""

    retold: Retold
    copies: Sequence[int]
    sites: frozenset[int]
    #: How many places of the study the story takes.
    places: int
    #: The story's forms, by record, and what it says where the first copy here says its own.
    forms: dict[str, str] = field(default_factory=dict)
    story: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.forms = {str(pk): oid for pk, oid in CrfRecord.objects.values_list("pk", "form_oid")}
        self.story = self.retold.back(self.copies[0])

    def live(self, transactions: Sequence[Sequence[Step]]) -> None:
        """Everything that happened, in its order, each transaction in one of its own."""
        with clock_led() as put:
            for steps in transactions:
                with acting(steps[0].first.context(self.sites)):
                    for step in steps:
                        put(step.first.trial_at)
                        with self._on_behalf(step, steps[0]):
                            self._take(step)

    def _on_behalf(self, step: Step, first: Step) -> AbstractContextManager[None]:
        """Whoever did it; mostly that is who began the transaction."""
        if step.first.who == first.first.who:
            return nullcontext()
        return acting(step.first.context(self.sites))

    def _take(self, step: Step) -> None:
        if step.table == IDENTITY:
            invent_people(step, self.copies)
        elif step.table == PAPERS:
            keep_papers_of(step, self.copies)
        elif step.operation == Operation.ACT:
            self._act(step)
        else:
            if step.table == _RECORDS and "content_hash" in step.first.names:
                self._understand_hashes(step)
            self._write(step)

    def _write(self, step: Step) -> None:
        model, _guard = copied()[step.table]
        if step.operation == Operation.INSERT:
            self._execute(insert_into(model), [each.text for each in step.events])
            return
        key = key_column(model)
        texts = [f'{{"{key}": "{each.row_id}", {each.text[1:]}' for each in step.events]
        try:
            with transaction.atomic():
                self._execute(update_of(model, step.first.names), texts)
        except DatabaseError as refused:
            if not getattr(refused.__cause__, "sqlstate", "").startswith(_OURS):
                raise

    def _act(self, step: Step) -> None:
        """Note the acts anew, with the places in the study that copies have."""
        for event in step.events:
            act = {
                "act": event.act,
                "site": event.site_id,
                "subject": event.subject_id,
                "record": event.record_id,
                "before": self.places * (self.copies[0] - 1),
                "places": self.places,
            }
            self._execute(_NOTE_ACT, [f'{json.dumps(act)[:-1]}, "details": {event.text}}}'])

    def _execute(self, statement: str, texts: Sequence[str]) -> None:
        """Run a statement over the texts as they are told of each copy."""
        told, parameters = told_of(
            [self.retold.template(text) for text in texts], self.retold, self.copies
        )
        with connection.cursor() as cursor:
            cursor.execute(statement.format(told=told), parameters)

    def _understand_hashes(self, step: Step) -> None:
        """Some records' hashes are over keys: of the first copy it is read what they are over.

        At this moment the first copy stands where the story stood, so what is said in its
        record, told back, must have the hash that the story noted.
        """
        for event in step.events:
            noted = json.loads(event.text)["content_hash"]
            oid = self.forms.get(event.row_id, "")
            if not noted or noted in self.retold.values or form(oid).content_of is None:
                continue
            record = CrfRecord(pk=key_of(event.row_id, self.copies[0]), form_oid=oid)
            text = self._told_back(json.dumps(said_in(record), ensure_ascii=False))
            if hash_of(**json.loads(text)) != noted:
                raise LookupError(f"Nobody can say what the hash of {oid} {event.row_id} is over.")
            if self.retold.mentions(text):
                self.retold.values[noted] = _rehashed(self.retold, text)

    def _told_back(self, text: str) -> str:
        """What the first copy says, as the story says it."""
        for told, said in self.story.items():
            text = text.replace(told, said)
        return text


def _rehashed(retold: Retold, text: str) -> Callable[[int], str]:
    tell = retold.telling(text)
    return lru_cache(MOST)(lambda copy: hash_of(**json.loads(tell(copy))))

"""Define a CRF once: subclass `CrfData` (one row a record) or `CrfRow` (a repeating item
group), declare items, `register`. Table, page, endpoint, checks, trail, export and ODM
metadata follow from the one definition (docs/adding-a-crf.md)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, SiteScopedQuerySet, User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.guards import guarded


@dataclass(frozen=True, slots=True, kw_only=True)
class EditCheck:
    """A soft rule. Data that break it are kept, and a query asks the site about them.

    Where the protocol sets what holds, `holds` makes it for a protocol version's id.
    """

    oid: str
    holds: Q | Callable[[int], Q]
    message: str | Promise
    item: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading of the form's page and the items under it."""

    title: str | Promise
    items: tuple[str, ...]


class ItemData(models.Model):
    """The columns every table of CRF data has beside its items."""

    #: Overridden by the subclass: the form it belongs to and its heading.
    form_oid: ClassVar[str]
    title: ClassVar[str | Promise]
    sections: ClassVar[tuple[Section, ...]] = ()
    edit_checks: ClassVar[tuple[EditCheck, ...]] = ()

    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    #: Item name -> MissingReason. The database refuses a reason beside a value.
    missing = models.JSONField(default=dict)
    #: The site's IANA zone when the row was entered: its times are that wall's clock.
    time_zone = models.CharField(max_length=64)
    #: Item name -> the comment with which an implausible value was confirmed.
    confirmed = models.JSONField(default=dict)

    #: What the save that is under way changes; the followers of a row read it.
    changed: frozenset[str] = frozenset()

    #: The subclass says whether a record has one of these or many.
    record: models.ForeignKey[Any, Any]

    objects = SiteScopedQuerySet[Any].as_manager()

    class Meta:
        abstract = True

    @property
    def stands(self) -> bool:
        """Whether it has been taken out of the casebook neither by itself nor with its record."""
        return self.record.voided_at is None and getattr(self, "voided_at", None) is None


def stored(table: type[ItemData]) -> Any:
    """The stored rows of a table, for conditions on columns that only the concrete table has."""
    return table._default_manager.all()


class CrfData(ItemData):
    """Base of every form with one row per record (ODM FormData with one ItemGroup)."""

    #: Counts up when the form changes mid-study (docs/changing-a-crf.md).
    form_version: ClassVar[int] = 1
    #: Many records of this form per subject or visit, each with its repeat key.
    repeating: ClassVar[bool] = False
    #: The item that tells one record of a repeating form from another in a list.
    caption: ClassVar[str] = ""

    record = models.OneToOneField(CrfRecord, models.PROTECT, primary_key=True, related_name="+")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.form_oid} {self.pk}"


class CrfRow(ItemData):
    """Base of every repeating item group: rows that hang on one record.

    Rows are numbered within their record; a voided row keeps its number.
    """

    group_oid: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    record = models.ForeignKey(CrfRecord, models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    version = models.PositiveIntegerField(default=0)
    voided_at = models.DateTimeField(null=True, blank=True)
    void_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.group_oid} {self.number}"


@guarded(
    site="site_id",
    subject="subject_id",
    record="record_id",
    unaudited="what is typed and not yet saved is no data",
    deletable=True,
)
class Draft(models.Model):
    """What one person has typed into one form and not yet saved; no export ever sees it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    record = models.ForeignKey(CrfRecord, models.PROTECT, related_name="drafts")
    user = models.ForeignKey(User, models.PROTECT, related_name="drafts")
    #: Which part of the form: its own row (empty), or `<group>/<row id or new>`.
    part = models.CharField(max_length=80, blank=True)
    fields = models.JSONField(default=dict)
    #: The page whose save closed this draft; what it still sends is passed over.
    closed_page = models.CharField(max_length=36, blank=True)
    #: The record's (or row's) version that the person saw when starting to type.
    base_version = models.PositiveIntegerField()
    saved_at = models.DateTimeField(auto_now=True)

    objects = SiteScopedQuerySet["Draft"].as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["record", "user", "part"], name="draft_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.record}"


#: The levels of a dictionary above the term itself, the nearest first.
DICTIONARIES: dict[str, tuple[str, ...]] = {
    "MedDRA": ("PT", "HLT", "HLGT", "SOC"),
    "WHODrug": ("ATC",),
}


@guarded(site="site_id", subject="subject_id", record="record_id")
class Coding(models.Model):
    """The code that a person gave to the words in one item of one row (SDTM --LLT, --DECOD).

    Never changed: another code supersedes it. It stands for the words it was given for;
    where the site has changed them since, a code is asked for anew.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="+")
    record = models.ForeignKey(CrfRecord, models.PROTECT, related_name="codings")
    #: The key of the row: the record's own, or that of a row of a repeating group.
    row_id = models.UUIDField()
    item_oid = models.CharField(max_length=40)
    verbatim = models.CharField(_("As written"), max_length=500)
    #: The words without case, width and spaces: the same words found again elsewhere.
    words = models.CharField(max_length=500)
    dictionary = models.CharField(_("Dictionary"), max_length=20)
    version = models.CharField(_("Version"), max_length=20)
    code = models.CharField(_("Code"), max_length=40)
    term = models.CharField(_("Term"), max_length=300)
    #: Level -> {"code", "term"}, as far as the importer or coder gave them.
    levels = models.JSONField(_("Levels above"), default=dict)
    coded_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    coded_at = models.DateTimeField(_("Coded"))
    superseded_at = models.DateTimeField(_("Superseded"), null=True, blank=True)

    objects = SiteScopedQuerySet["Coding"].as_manager()

    class Meta:
        verbose_name = _("code of a term")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["dictionary", "words"],
                condition=Q(superseded_at=None),
                name="coding_of_the_same_words",
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["row_id", "item_oid"],
                condition=Q(superseded_at=None),
                name="coding_stands_once",
            ),
            models.CheckConstraint(
                condition=Q(dictionary__in=tuple(DICTIONARIES))
                & ~Q(version="")
                & ~Q(code="")
                & ~Q(term="")
                & ~Q(verbatim=""),
                name="coding_is_whole",
                violation_error_message=_("A code needs dictionary, version, code and term."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.term} ({self.dictionary} {self.version})"

    @property
    def above(self) -> list[tuple[str, str, str]]:
        """Level, code and term of the levels above, the nearest first."""
        return [
            (level, said.get("code", ""), said.get("term", ""))
            for level in DICTIONARIES.get(self.dictionary, ())
            if (said := self.levels.get(level))
        ]

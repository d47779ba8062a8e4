"""The study's metadata as CDISC ODM-XML 1.3.2: schedule from the protocol, items from the forms.

CamelCase is the standard's. The order of elements is that of its schema.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from xml.etree import ElementTree as ET

from django.conf import settings
from django.db import connection
from django.db.models import GeneratedField
from django.http import HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from trialsite.access.rest import Endpoint
from trialsite.casebook.api import DETAIL, SEES
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version
from trialsite.core.clock import trial_now
from trialsite.core.software import NAME
from trialsite.crf.catalogue import in_both
from trialsite.crf.items import Item, all_items_of
from trialsite.crf.limits import limits_of
from trialsite.crf.models import CrfRow, ItemData
from trialsite.crf.registry import Form, forms
from trialsite.protocol import EventKind, Protocol

NAMESPACE = "http://www.cdisc.org/ns/odm/v1.3"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
#: What belongs to no visit (adverse events, medication, death) is of the whole study (ODM Common).
THROUGHOUT = "SE.THROUGHOUT"
_KINDS = {
    EventKind.SCHEDULED: "Scheduled",
    EventKind.UNSCHEDULED: "Unscheduled",
    EventKind.COMMON: "Common",
}


def document(version: ProtocolVersion, *, at: dt.datetime) -> bytes:
    """The metadata of a protocol version as one ODM file."""
    root = ET.Element("ODM", head(version, at=at, what="metadata"))
    root.append(study_element(version))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def head(version: ProtocolVersion, *, at: dt.datetime, what: str) -> dict[str, str]:
    """The attributes of the root of a file."""
    study_id = protocol_of(version.pk).study.study_id
    return {
        "xmlns": NAMESPACE,
        "ODMVersion": "1.3.2",
        "FileType": "Snapshot",
        "FileOID": f"{study_id}.{version.version}.{what}",
        "CreationDateTime": at.isoformat(timespec="seconds"),
        "SourceSystem": NAME,
        **({"Description": "SYNTHETIC data of a demonstration"} if settings.DEMO else {}),
    }


def version_oid(version: ProtocolVersion) -> str:
    return f"MDV.{version.version}"


def study_element(version: ProtocolVersion) -> ET.Element:
    """The Study: its schedule from the protocol, its items from the forms."""
    protocol = protocol_of(version.pk)
    study = ET.Element("Study", OID=protocol.study.study_id)
    names = add(study, "GlobalVariables")
    add(names, "StudyName").text = protocol.study.short_name.en
    add(names, "StudyDescription").text = protocol.study.title.en
    add(names, "ProtocolName").text = protocol.study.study_id
    _basic_definitions(study)
    _metadata(study, protocol, version)
    return study


def add(parent: ET.Element, name: str, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, name, attributes)


def _words(parent: ET.Element, name: str, text: Any) -> None:
    """A text in both languages of the study; the same in both is said once."""
    element, said = add(parent, name), in_both(text)
    for language, words in (("en", said["en"]), ("zh-Hans", said["zh"])):
        if language == "en" or words != said["en"]:
            translated = add(element, "TranslatedText")
            translated.set(_LANG, language)
            translated.text = words


def tables() -> list[type[ItemData]]:
    return [table for each in forms().values() for table in each.tables]


def units() -> list[str]:
    """Every unit of any item, each once."""
    found: dict[str, None] = {}
    for table in tables():
        for item in all_items_of(table).values():
            found |= dict.fromkeys([*([item.unit] if item.unit else []), *item.units])
    return list(found)


def _basic_definitions(study: ET.Element) -> None:
    if not units():
        return
    definitions = add(study, "BasicDefinitions")
    for unit in units():
        element = add(definitions, "MeasurementUnit", OID=unit_oid(unit), Name=unit)
        symbol = add(add(element, "Symbol"), "TranslatedText")
        symbol.text = unit
        add(element, "Alias", Context="UCUM", Name=unit)


def unit_oid(unit: str) -> str:
    return f"MU.{unit}"


def _metadata(study: ET.Element, protocol: Protocol, version: ProtocolVersion) -> None:
    metadata = add(
        study,
        "MetaDataVersion",
        OID=version_oid(version),
        Name=f"{protocol.study.short_name.en} {version.version}",
    )
    order = add(metadata, "Protocol")
    for number, event in enumerate(protocol.schedule.events, 1):
        add(
            order,
            "StudyEventRef",
            StudyEventOID=event.oid,
            OrderNumber=str(number),
            Mandatory="Yes" if event.kind is EventKind.SCHEDULED else "No",
        )
    add(order, "StudyEventRef", StudyEventOID=THROUGHOUT, Mandatory="No")
    _events(metadata, protocol)
    for each in forms().values():
        _form(metadata, each)
    for table in tables():
        _group(metadata, table)
    items = [item for table in tables() for item in all_items_of(table).values()]
    for item in items:
        _item(metadata, item, version.pk)
    for item in items:
        _code_list(metadata, item)
    for item in items:
        _method(metadata, item)


def _events(metadata: ET.Element, protocol: Protocol) -> None:
    known = forms()
    for event in protocol.schedule.events:
        definition = add(
            metadata,
            "StudyEventDef",
            OID=event.oid,
            Name=event.name.en,
            Repeating=_yes(value=event.repeating),
            Type=_KINDS[event.kind],
        )
        description = add(definition, "Description")
        for language, words in (("en", event.name.en), ("zh-Hans", event.name.zh)):
            translated = add(description, "TranslatedText")
            translated.set(_LANG, language)
            translated.text = words
        expected = dict.fromkeys(event.forms, True) | dict.fromkeys(event.optional_forms, False)
        for oid, mandatory in expected.items():
            # A form of the protocol that no app has defined yet cannot be referred to.
            if oid in known:
                add(definition, "FormRef", FormOID=oid, Mandatory=_yes(value=mandatory))

    _throughout(metadata)


def _throughout(metadata: ET.Element) -> None:
    """The event to which every form may belong without a visit."""
    definition = add(
        metadata,
        "StudyEventDef",
        OID=THROUGHOUT,
        Name="Throughout the study",
        Repeating="No",
        Type="Common",
    )
    _words(definition, "Description", gettext_lazy("Throughout the study"))
    for oid in forms():
        add(definition, "FormRef", FormOID=oid, Mandatory="No")


def _yes(*, value: bool) -> str:
    return "Yes" if value else "No"


def group_oid(table: type[ItemData]) -> str:
    """A form's own row is an item group too, named after the form."""
    if issubclass(table, CrfRow):
        return table.group_oid
    return f"IG.{table.form_oid.removeprefix('F.')}"


def _form(metadata: ET.Element, form: Form) -> None:
    definition = add(
        metadata,
        "FormDef",
        OID=form.oid,
        Name=in_both(form.title)["en"],
        Repeating=_yes(value=form.repeating),
    )
    _words(definition, "Description", form.title)
    for number, table in enumerate(form.tables, 1):
        add(
            definition,
            "ItemGroupRef",
            ItemGroupOID=group_oid(table),
            OrderNumber=str(number),
            Mandatory=_yes(value=table is form.data),
        )


def _group(metadata: ET.Element, table: type[ItemData]) -> None:
    definition = add(
        metadata,
        "ItemGroupDef",
        OID=group_oid(table),
        Name=in_both(table.title)["en"],
        Repeating=_yes(value=issubclass(table, CrfRow)),
    )
    _words(definition, "Description", table.title)
    for number, item in enumerate(all_items_of(table).values(), 1):
        add(
            definition,
            "ItemRef",
            ItemOID=item.oid,
            OrderNumber=str(number),
            Mandatory=_yes(value=item.required),
            **({"MethodOID": _method_oid(item)} if item.derived else {}),
        )


def _method_oid(item: Item) -> str:
    return f"MT.{item.oid.removeprefix('I.')}"


def _method(metadata: ET.Element, item: Item) -> None:
    """How the database computes an item, in the words it was told."""
    if not item.derived:
        return
    assert isinstance(item.field, GeneratedField)
    sql, parameters = item.field.generated_sql(connection)
    formula = sql % tuple(map(connection.schema_editor().quote_value, parameters))
    method = add(metadata, "MethodDef", OID=_method_oid(item), Name=item.name, Type="Computation")
    add(add(method, "Description"), "TranslatedText").text = formula
    add(method, "FormalExpression", Context="PostgreSQL").text = formula


def _item(metadata: ET.Element, item: Item, version_id: int) -> None:
    assert item.field is not None
    definition = add(metadata, "ItemDef", OID=item.oid, Name=item.name, **_type_of(item))
    _words(definition, "Question", item.field.verbose_name)
    for unit in item.units or ([item.unit] if item.unit else []):
        add(definition, "MeasurementUnitRef", MeasurementUnitOID=unit_oid(unit))
    _range_checks(definition, item, version_id)
    if item.choices:
        add(definition, "CodeListRef", CodeListOID=_code_list_oid(item))
    if item.sdtm:
        add(definition, "Alias", Context="SDTM", Name=item.sdtm)


def _type_of(item: Item) -> dict[str, str]:
    attributes = {"DataType": item.data_type}
    digits = getattr(item.field, "max_digits", None)
    length = getattr(item.field, "max_length", None)
    if digits:
        attributes |= {"Length": str(digits), "SignificantDigits": str(item.places)}
    elif item.data_type == "integer":
        attributes["Length"] = "10"
    elif item.data_type == "text" and length:
        attributes["Length"] = str(length)
    return attributes


def _range_checks(definition: ET.Element, item: Item, version_id: int) -> None:
    """Soft, all of them: outside the usual range a query asks, nothing is refused."""
    usual = limits_of(item, version_id).usual
    if usual is None:
        return
    for comparator, bound in (("GE", usual.low), ("LE", usual.high)):
        if bound is None:
            continue
        check = add(definition, "RangeCheck", Comparator=comparator, SoftHard="Soft")
        add(check, "CheckValue").text = f"{bound.normalize():f}"
        if item.unit:
            add(check, "MeasurementUnitRef", MeasurementUnitOID=unit_oid(item.unit))


def _code_list_oid(item: Item) -> str:
    return f"CL.{item.oid.removeprefix('I.')}"


def _code_list(metadata: ET.Element, item: Item) -> None:
    if not item.choices:
        return
    assert item.field is not None
    kind = item.data_type if item.data_type in {"integer", "float"} else "text"
    name = in_both(item.field.verbose_name)["en"]
    codes = add(metadata, "CodeList", OID=_code_list_oid(item), Name=name, DataType=kind)
    for code, words in item.choices:
        _words(add(codes, "CodeListItem", CodedValue=str(code)), "Decode", words)


class Odm(Endpoint):
    policy = {"GET": SEES}

    @extend_schema(responses={(200, "application/xml"): OpenApiTypes.STR})
    def retrieve(self, request: Request) -> HttpResponse:
        """The metadata of the present protocol version as ODM-XML 1.3.2."""
        version = current_version()
        return HttpResponse(
            document(version, at=trial_now()),
            content_type="application/xml",
            headers={"Content-Disposition": f'attachment; filename="odm-{version.version}.xml"'},
        )


routes: list[URLPattern] = [path("metadata/odm/", Odm.as_view(DETAIL))]

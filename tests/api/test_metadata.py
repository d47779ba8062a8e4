"""ODM metadata and codebook: valid, complete, in both languages."""

from __future__ import annotations

import csv
import io
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import odmlib
import pytest
import xmlschema

from tests.factories import make_protocol, make_subject
from trialsite.casebook.protocols import protocol_of
from trialsite.crf.items import all_items_of
from trialsite.crf.odm import NAMESPACE
from trialsite.crf.registry import forms

ODM = {"o": NAMESPACE}
XSD = "ODM1-3-2.xsd"


@cache
def schema() -> xmlschema.XMLSchema:
    (path,) = Path(odmlib.__file__).parent.rglob(XSD)
    return xmlschema.XMLSchema(path)


@pytest.fixture
def odm(cast, nurse) -> ET.Element:
    make_subject(cast.site)
    answer = nurse.get("metadata/odm/")
    assert answer.status_code == 200
    return ET.fromstring(answer.content)


@pytest.mark.requirement("EX7")
def test_the_metadata_are_valid_odm(odm):
    schema().validate(ET.tostring(odm, encoding="unicode"))


@pytest.mark.requirement("EX7")
def test_every_form_group_and_item_is_defined_once(odm):
    for form in forms().values():
        assert len(odm.findall(f".//o:FormDef[@OID='{form.oid}']", ODM)) == 1
        for table in form.tables:
            for item in all_items_of(table).values():
                (found,) = odm.findall(f".//o:ItemDef[@OID='{item.oid}']", ODM)
                assert found.get("DataType") == item.data_type
                units = [
                    each.get("MeasurementUnitOID")
                    for each in found.findall("o:MeasurementUnitRef", ODM)
                ]
                assert units == [
                    f"MU.{u}" for u in item.units or ([item.unit] if item.unit else [])
                ]


def test_every_reference_finds_its_definition(odm):
    for reference, definition in (
        ("StudyEventRef/StudyEventOID", "StudyEventDef"),
        ("FormRef/FormOID", "FormDef"),
        ("ItemGroupRef/ItemGroupOID", "ItemGroupDef"),
        ("ItemRef/ItemOID", "ItemDef"),
        ("CodeListRef/CodeListOID", "CodeList"),
        ("MeasurementUnitRef/MeasurementUnitOID", "MeasurementUnit"),
        ("ItemRef[@MethodOID]/MethodOID", "MethodDef"),
    ):
        element, attribute = reference.split("/")
        used = {each.get(attribute) for each in odm.findall(f".//o:{element}", ODM)}
        defined = [each.get("OID") for each in odm.findall(f".//o:{definition}", ODM)]
        assert used <= set(defined), reference
        assert len(defined) == len(set(defined)), definition


def test_the_schedule_is_the_protocols(cast, odm):
    protocol = protocol_of(make_protocol(cast.site).pk)
    events = [each.get("OID") for each in odm.findall(".//o:StudyEventDef", ODM)]
    assert events[:-1] == [event.oid for event in protocol.schedule.events]


def test_a_range_is_soft_and_comes_from_the_protocol(odm):
    item = odm.find(".//o:ItemDef[@OID='I.VS.SYSBP']", ODM)
    assert item is not None
    found = {
        (check.get("Comparator"), check.get("SoftHard"), check.findtext("o:CheckValue", None, ODM))
        for check in item.findall("o:RangeCheck", ODM)
    }
    assert found == {("GE", "Soft", "90"), ("LE", "Soft", "160")}


def test_the_codebook_has_a_row_for_every_item(cast, nurse):
    make_subject(cast.site)
    rows = nurse.get("metadata/codebook/").json()
    oids = [
        item.oid
        for form in forms().values()
        for table in form.tables
        for item in all_items_of(table).values()
    ]
    assert [row["oid"] for row in rows] == oids
    text = nurse.get("metadata/codebook.csv").content.decode()
    assert [row["oid"] for row in csv.DictReader(io.StringIO(text, newline=""))] == oids

"""The pages of the endpoints and of the markers: what the engine says, opened to its subjects."""

from __future__ import annotations

import html
import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from outcomes.charts.axes import Across, Frame, up
from outcomes.charts.lines import Strand, Value, figure
from outcomes.charts.steps import Stair, step_figure
from outcomes.selectors.courses import courses_of
from outcomes.selectors.endpoints import endpoints_of
from tests.factories import as_person, make_protocol, sign_in
from tests.outcomes.changes.conftest import api, books, others, study
from trialsite.casebook.protocols import protocol_of

__all__ = ["api", "books", "others", "study"]

PATH = "/outcomes/endpoints/"
MARKERS = "/outcomes/biomarkers/"
FRAME = Frame(left=0, right=100, top=0, bottom=100)


def page(user, path=PATH) -> str:
    answer = sign_in(user).get(path)
    assert answer.status_code == 200
    return str(answer.content.decode())


def cells(text: str) -> dict[tuple[str, str], str]:
    """(day, state) -> count, as the page's cells say."""
    found = re.findall(r'data-day="(\d+)" data-state="(\w+)" data-count="(\d+)"', text)
    return {(day, state): count for day, state, count in found}


# Endpoints


def test_the_milestones_are_the_ones_worked_out_by_hand(cast, study):
    """One seen on day 14, one dead on day 3, one untreated, one grafted on day 5 and seen on
    day 7, one seen on day 7."""
    found = cells(page(cast.nurse))
    seven = {state: found["7", state] for state in ("alive_native", "alive_lt", "dead", "unknown",
                                                    "no_anchor", "all")}  # fmt: skip
    assert seven == {"alive_native": "2", "alive_lt": "1", "dead": "1", "unknown": "0",
                     "no_anchor": "1", "all": "5"}  # fmt: skip
    assert (found["28", "unknown"], found["28", "dead"]) == ("3", "1")


def test_counts_and_denominators_are_the_engines(cast, study):
    text = page(cast.nurse)
    with as_person(cast.nurse):
        engine = endpoints_of(courses_of(cast.nurse), protocol_of(make_protocol().pk))
    said = re.findall(
        r'data-day="(\d+)" data-denominator="(\w+)" data-count="(\d+)" data-of="(\d+)"', text
    )
    expected = []
    for each in engine.milestones:
        shares = (
            ("evaluable", each.alive_of_evaluable), ("dosed", each.alive_of_dosed),
            ("enrolled", each.alive_of_enrolled), ("native", each.native_of_evaluable),
        )  # fmt: skip
        expected += [(str(each.day), key, str(s.count), str(s.of)) for key, s in shares]
    for crude in engine.conversion.crude:
        share = crude.crude
        expected.append((str(crude.day), "conversion", str(share.count), str(share.of)))
    assert said == expected
    assert ("7", "evaluable", "3", "4") in said
    for each in engine.milestones:
        states = {key: n for (day, key), n in cells(text).items() if day == str(each.day)}
        assert {s.value: str(len(who)) for s, who in each.subjects.items()} == {
            key: n for key, n in states.items() if key != "all"
        }


def test_estimates_stand_with_their_anchor_or_with_the_reason(cast, study):
    """One of four died by day 7: 75 %. On day 84 nobody is left."""
    overall = page(cast.nurse).split('data-curve="overall"')[1].split("</section>")[0]
    rows = dict(re.findall(r'<tr data-day="(\d+)">.*?data-estimate="([^"]+)"', overall, re.DOTALL))
    assert rows["7"] == "75.0 %"
    assert rows["84"] == "–"
    last = overall.partition('<tr data-day="84">')[2].partition("</tr>")[0]
    assert "no estimate" in last
    assert "Nobody is under observation on this day." in last
    assert "95.0 %" not in last
    assert "date of the first treatment session" in overall


def test_what_wants_a_look_is_listed_with_its_subject(cast, study):
    """The one who was never treated, and nobody else."""
    text = page(cast.nurse)
    assert re.findall(r'data-doubtful="([^"]+)"', text) == ["001-003"]
    assert "Enrolled and not treated: in no estimate" in text


@pytest.mark.parametrize(
    ("figure_", "members"),
    [
        ("", "12345"),
        ("of=milestone&what=dead&day=7", "2"),
        ("of=milestone&what=evaluable&day=7", "1245"),
        ("of=milestone&what=alive&day=7", "145"),
        ("of=milestone&what=no_anchor&day=7", "3"),
        ("of=milestone&what=dosed&day=7", "1245"),
        ("of=overall&what=events", "2"),
        ("of=overall&what=day&day=7", "45"),
        ("of=overall&what=at_risk&day=7", "145"),
        ("of=overall&what=left_out", "3"),
        ("of=transplant_free&what=events", "24"),
        ("of=transplant&what=events", "4"),
        ("of=death&what=events", "2"),
        ("of=conversion&what=transplanted&day=28", "4"),
        ("of=conversion&what=dosed&day=28", "1245"),
    ],
)
def test_every_figure_opens_to_its_subjects(cast, study, figure_, members):
    text = page(cast.nurse, f"{PATH}subjects/?{figure_}")
    found = re.findall(r'data-subject="001-00(\d)"', text)
    assert "".join(found) == members


def test_every_address_on_the_page_opens_a_list_as_long_as_its_count(cast, study):
    client = sign_in(cast.nurse)
    text = client.get(PATH).content.decode()
    links = re.findall(r'<a (?:class="num" )?href="([^"]*/subjects/[^"]*)"[^>]*>(\d+)</a>', text)
    counted = {html.unescape(href): n for href, n in links if "what=day" not in href}
    assert len(counted) > 40
    for href, count in counted.items():
        listed = client.get(href).content.decode()
        assert listed.count("data-subject=") == int(count), href


@pytest.mark.parametrize(
    "query", ["of=nothing", "of=milestone&what=dead", "of=milestone&what=dead&day=8",
              "of=overall&what=day", "of=overall&what=nothing&day=7", "of=conversion&what=x&day=28"]
)  # fmt: skip
def test_a_figure_that_the_page_does_not_have_is_not_found(cast, study, query):
    assert sign_in(cast.nurse).get(f"{PATH}subjects/?{query}").status_code == 404


def test_another_sites_subjects_are_neither_listed_nor_counted(cast, study, others):
    others.subject("002-001")
    assert cells(page(cast.nurse))["7", "all"] == "5"
    assert "002-001" not in page(cast.nurse, f"{PATH}subjects/?site=002")
    assert cells(page(cast.investigator))["7", "all"] == "6"
    there = page(cast.investigator, f"{PATH}subjects/?site=002")
    assert re.findall(r'data-subject="([^"]+)"', there) == ["002-001"]


def test_data_after_the_day_asked_for_are_left_out_and_links_keep_the_day(cast, study):
    text = page(cast.nurse, f"{PATH}?on=2026-03-07")
    assert cells(text)["7", "dead"] == "0"
    assert "on=2026-03-07&amp;of=" in text


@pytest.mark.parametrize("path", [PATH, MARKERS, f"{MARKERS}?scale=ratio"])
def test_more_subjects_cost_no_more_queries(cast, study, books, path):
    client = sign_in(cast.nurse)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(path)
        return len(captured)

    queries()
    few = queries()
    for n in range(6, 9):
        subject = books.subject(f"001-00{n}")
        books.draw(subject, -1, PTA="35", INTLK6="40")
        books.draw(subject, 7, visit="SE.D7", PTA="60", INTLK6="<1.5")
    assert queries() == few


def test_before_anybody_is_enrolled_the_page_says_so(cast):
    make_protocol(cast.site)
    assert "No estimate: nobody has a day zero yet." in page(cast.nurse)
    assert "Nobody is enrolled yet." in page(cast.nurse, MARKERS)


# Markers


def panel(text: str, key: str) -> str:
    return text.split(f'data-marker="{key}"')[1].split("</section>")[0]


def test_each_marker_shows_its_subjects_against_their_baselines(cast, study):
    shown = panel(page(cast.nurse, MARKERS), "PTA")
    assert "001-001, day 7: 45 %, 1.50 ×" in shown
    assert "001-001, day 14: &gt;120 %, &gt;4.00 ×" in shown
    assert 'class="oc-hollow"' in shown  # the limit
    assert "001-004, day -1: 38 %, 1.00 ×, 3.5 h after purification" in shown
    assert "No value before the first treatment." in shown
    assert "No value is recorded." in panel(page(cast.nurse, MARKERS), "AFP")


def test_one_subjects_page_holds_every_value_as_it_was_printed(cast, study, books):
    books.draw(study["one"], 28, visit="SE.D28", lab="OTHER", PTA="60")
    text = page(cast.nurse, f"/subjects/{study['one'].pk}/biomarkers/")
    shown = panel(text, "PTA")
    assert [each in shown for each in ("&gt;120", "another laboratory than before", "OTHER")] == [
        True
    ] * 3
    assert "001-001, session 1, day 0" in shown
    assert "001-002" not in text


def test_another_sites_subject_has_no_page_here(cast, study, others):
    foreign = others.subject("002-001")
    answer = sign_in(cast.nurse).get(f"/subjects/{foreign.pk}/biomarkers/")
    assert answer.status_code == 404
    assert "002-001" not in page(cast.nurse, MARKERS)


def test_a_number_brings_its_lines_forward(cast, study):
    text = page(cast.nurse, f"{MARKERS}?subject=001-001")
    assert "oc-faint" in panel(text, "PTA")
    assert "oc-faint" not in panel(page(cast.nurse, MARKERS), "PTA")


@pytest.mark.parametrize("path", [PATH, MARKERS, "/outcomes/changes/"])
def test_figures_carry_no_inline_style_and_say_what_they_are(cast, study, path):
    text = page(cast.nurse, path)
    assert "style=" not in text
    figures = re.findall(r'<svg class="oc-figure".*?</svg>', text, re.DOTALL)
    assert figures
    for drawn in figures:
        assert "<title" in drawn
        assert "<desc" in drawn
        assert "NaN" not in drawn


# Geometry


def test_wide_spreads_are_logarithmic_and_narrow_ones_are_not():
    wide = up(FRAME, [Decimal("0.4"), Decimal(900)], may_be_logarithmic=True)
    assert wide.logarithmic
    assert (wide.low, wide.high) == (Decimal("0.1"), Decimal(1000))
    assert wide.at(Decimal(10)) == 50
    narrow = up(FRAME, [Decimal(30), Decimal(80)], may_be_logarithmic=True)
    assert not narrow.logarithmic
    assert not up(FRAME, [Decimal(0), Decimal(900)], may_be_logarithmic=True).logarithmic
    assert narrow.low <= 30 < 80 <= narrow.high


def test_grades_have_no_fractions_on_their_axis():
    marks = [tick.word for tick in up(FRAME, [Decimal(0), Decimal(1)], whole=True).ticks]
    assert marks == ["0", "1"]
    marks = [tick.word for tick in up(FRAME, [Decimal(0), Decimal(4)], whole=True).ticks]
    assert marks == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("value", ["0", "5", "-3", "0.0001", "12000"])
def test_one_value_alone_has_an_axis(value):
    scale = up(FRAME, [Decimal(value)])
    assert scale.low < Decimal(value) < scale.high


def test_an_axis_of_roots_gives_the_first_days_room():
    across = Across.over(FRAME, [Decimal(-1), 100], 84, roots=True)
    assert across.at(-1) == 0
    assert round(across.at(0), 4) == round(Decimal(100) / 11, 4)
    assert across.at(100) == 100


def test_a_curve_steps_down_on_its_days_and_its_band_lies_between():
    stairs = [
        Stair(day=42, value=Decimal("0.5"), low=Decimal("0.2"), high=Decimal("0.8"), href="/x"),
        Stair(day=84, value=Decimal("0.5"), censored=1),
    ]
    drawn = step_figure(stairs, begin=Decimal(1), ticks=[84], at_risk=lambda _day: 2)
    assert drawn.curve == "M56.0 14.0H281.0V114.0H506.0V114.0"
    assert drawn.band == "M281.0 54.0H506.0V174.0H281.0z"
    assert [place.href for place in drawn.events] == ["/x"]
    assert len(drawn.censored) == 1


def test_a_limit_is_drawn_apart_and_joins_no_line():
    values = [
        Value(day=Decimal(0), value=Decimal(8), says="a"),
        Value(day=Decimal(3), value=Decimal("0.2"), says="b", limit="<"),
        Value(day=Decimal(7), value=Decimal(4), says="c"),
    ]
    drawn = figure([Strand(number=0, name="x", values=values)], ticks=[7], until=7)
    assert drawn is not None
    (line,) = drawn.lines
    assert line.path.count("L") == 1  # from the first to the third
    assert [dot.hollow for dot in line.dots] == [False, True, False]


def test_nothing_to_draw_is_no_figure():
    assert figure([Strand(number=0, name="x", values=[])], ticks=[7], until=7) is None

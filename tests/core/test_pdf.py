"""PDF documents: the same bytes for the same moment, and no text of a person is markup."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pypdf
import pytest
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsite.core import pdf as documents
from trialsite.core.pdf import About, PdfError, pdf, printable

TEMPLATE = Path(__file__).with_name("hostile.typ")
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
HOSTILE = (
    '#import "x.typ": *',
    "$x^2 + $",
    "@nobody <label>",
    "*bold* _thin_ `raw`",
    "#panic() // gone",
    "/* gone */ \\ [#read(1)] = no heading",
    '" + sys.inputs + "',
)


@pytest.fixture(autouse=True)
def _own_compiler() -> Iterator[None]:
    yield
    documents._compiler.cache_clear()


def made(*texts: str, title: str = "Report", language: str = "en", watermark: str = "") -> bytes:
    rows = [[str(number), text] for number, text in enumerate(texts)]
    about = About(title=title, head="Head", foot="Foot", language=language, watermark=watermark)
    return pdf(TEMPLATE, {"title": title, "rows": rows}, about=about, at=AT)


def text_of(document: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(document)).pages)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_person_typed_is_printed_as_typed_and_never_run(text: str) -> None:
    assert text in text_of(made(text))


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=60))
def test_no_text_whatever_breaks_a_document(text: str) -> None:
    assert made(text).startswith(b"%PDF-")


def test_control_characters_and_reversed_reading_are_shown_as_replaced() -> None:
    assert printable("a\x00b\x1b\u202ec\ud800d\r\ne\tf") == "a\ufffdb\ufffd\ufffdc\ufffdd\ne\tf"


def test_chinese_is_set_in_the_open_font_and_embedded() -> None:
    document = made("严重不良事件：感染性休克", title="严重不良事件报告", language="zh-hans")
    reader = pypdf.PdfReader(io.BytesIO(document))
    assert "感染性休克" in text_of(document)
    assert "第 1 页，共 1 页" in text_of(document)
    fonts = reader.pages[0]["/Resources"]["/Font"].values()  # type: ignore[index]
    assert all("NotoSansSC" in str(font.get_object()["/BaseFont"]) for font in fonts)


def test_the_same_report_of_the_same_moment_has_the_same_bytes() -> None:
    first = made("text", title="报告")
    documents._compiler.cache_clear()
    assert made("text", title="报告") == first
    assert made("other", title="报告") != first
    metadata = pypdf.PdfReader(io.BytesIO(first)).metadata
    assert metadata is not None
    assert metadata.creation_date == AT


def test_every_page_says_which_of_how_many_it_is() -> None:
    document = made(*["line"] * 120)
    pages = pypdf.PdfReader(io.BytesIO(document)).pages
    assert len(pages) > 3
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page.extract_text()


@pytest.mark.parametrize(("demo", "said"), [(True, True), (False, False)])
def test_a_demonstration_says_synthetic_on_every_page(demo: bool, said: bool) -> None:
    with override_settings(DEMO=demo):
        document = made(*["line"] * 80, watermark="DRAFT")
    for page in pypdf.PdfReader(io.BytesIO(document)).pages:
        assert ("SYNTHETIC" in page.extract_text()) is said
        assert "DRAFT" in page.extract_text()


def test_a_number_that_is_not_whole_must_come_as_the_text_a_person_reads() -> None:
    with pytest.raises(TypeError, match="float"):
        pdf(TEMPLATE, {"title": 1.5, "rows": []}, about=About(title="T"), at=AT)


def test_a_missing_font_is_named(tmp_path: Path) -> None:
    documents._compiler.cache_clear()
    refused = pytest.raises(PdfError, match="noto-sans-sc")
    with override_settings(NODE_MODULES=tmp_path), refused:
        made("text")


def test_a_broken_template_is_a_refusal_with_its_reason() -> None:
    about = About(title="T")
    with pytest.raises(PdfError, match="could not be made"):
        pdf(TEMPLATE, {"rows": []}, about=about, at=AT)

"""As the safety officer lives it, page by page: a complication on a Friday night before midnight,
reported over the weekend, with every clock worked out by hand for Shanghai (UTC+8)."""

from __future__ import annotations

import datetime as dt

from outcomes.models import SaeCase, SaeReceipt, SaeReport
from tests.factories import given, sign_in
from tests.outcomes.conftest import complicated, treated
from tests.outcomes.sae.conftest import FRIDAY
from tests.signing import factors_of

HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)


@given
def the(model, **fields):
    return model.objects.get(**fields)


def clocks(client, case) -> dict[str, tuple[str, str]]:
    """Due and state of each clock as the page of the case shows them."""
    line = client.get(f"/safety/cases/{case.pk}/").context["line"]
    shown = {}
    for clock in line.clocks:
        due = clock.deadline.due_at.astimezone(line.zone)
        shown[clock.deadline.rule] = (f"{due:%a %Y-%m-%d %H:%M}", clock.word)
    return shown


def send(client, report, to: str, at: str) -> None:
    name = f"send-{report.pk}"
    answer = client.post(
        f"/safety/reports/{report.pk}/send/",
        {f"{name}-recipient": to, f"{name}-submitted_at": at, f"{name}-way": "portal"},
    )
    assert answer.status_code == 302, answer.content.decode()


def receive(client, to: str, at: str, number: str) -> None:
    receipt = the(SaeReceipt, recipient=to, report__number=0)
    answer = client.post(
        f"/safety/receipts/{receipt.pk}/", {"received_at": at, "receipt_number": number}
    )
    assert answer.status_code == 302


def sign(client, case, kind: str, by, later: int = 0) -> SaeReport:
    address = f"/safety/cases/{case.pk}/sign/{kind}/"
    seen = client.get(address).context["seen"]
    answer = client.post(address, {"seen": seen, **factors_of(by, later=later)})
    assert answer.status_code == 302, answer.content.decode()
    found: SaeReport = the(SaeReport, case=case, kind=kind)
    return found


def test_from_a_complication_on_friday_night_to_a_closed_case(cast, subject, officer, clock):
    nurse, doctor, watch = (sign_in(each) for each in (cast.nurse, cast.sub_investigator, officer))
    # Friday 22:30 the complication; at 23:50 the ward tells the nurse, who reports it at 23:55.
    clock(FRIDAY - HOUR)
    session = treated(subject, cast.nurse, start="2026-03-06T17:00")
    source = complicated(session, cast.nurse, onset_at="2026-03-06T22:30")
    clock(FRIDAY + 5 * MINUTE)
    page = nurse.get(f"/safety/new/?complication={source.pk}")
    filled = {name: page.context["form"][name].value() for name in ("subject", "term", "reporter")}
    said = filled | {
        "complication": str(source.pk),
        "criterion": "life_threatening",
        "suspected": "circuit",
        "aware_at": "2026-03-06T23:50",
        "started_on": "2026-03-06",
        "started_time": "22:30",
    }
    assert nurse.post("/safety/new/", said).status_code == 302
    case = the(SaeCase, subject=subject)
    # 24 elapsed hours from Friday 23:50; five minutes of them have gone, and a little more.
    shown = clocks(watch, case)
    assert set(shown) == {"sponsor", "institution", "ethics"}
    assert {due for due, _word in shown.values()} == {"Sat 2026-03-07 23:50"}
    assert all(word.startswith("23 h 5") for _due, word in shown.values())

    # Saturday 00:50, past midnight: signed. 09:40 to the sponsor, 09:42 to the institution.
    clock(FRIDAY + HOUR)
    first = sign(doctor, case, "initial", cast.sub_investigator)
    clock(FRIDAY + 10 * HOUR)
    send(nurse, first, "sponsor", "2026-03-07T09:40")
    send(nurse, first, "institution", "2026-03-07T09:42")
    # The sponsor counts as knowing on Saturday, day 0: seven days end with Saturday the 14th,
    # fifteen with Sunday the 22nd. Saturday 09:50 to the 14th 23:59 are 7 days and 14 hours.
    shown = clocks(watch, case)
    assert shown["authority_grave"] == ("Sat 2026-03-14 23:59", "7 d 14 h left")
    assert shown["authority_grave_follow_up"] == ("Sun 2026-03-22 23:59", "15 d 14 h left")
    assert "until their receipt is entered" in page_of(watch, case)

    # Sunday 00:20: ethics, half an hour too late. The sponsor's receipt says Sunday 00:10, so
    # that the sponsor's day 0 is Sunday: the 15th and the 23rd.
    clock(FRIDAY + 24.5 * HOUR)
    send(nurse, first, "ethics", "2026-03-08T00:20")
    receive(watch, "sponsor", "2026-03-08T00:10", "S-77")
    shown = clocks(watch, case)
    assert shown["ethics"] == ("Sat 2026-03-07 23:50", "Late by 0 h 30 min")
    assert shown["sponsor"] == ("Sat 2026-03-07 23:50", "In time")
    assert shown["authority_grave"][0] == "Sun 2026-03-15 23:59"
    assert shown["authority_grave_follow_up"][0] == "Mon 2026-03-23 23:59"
    assert "until their receipt is entered" not in page_of(watch, case)

    # Monday the 16th 00:30 is past the end of day 7: overdue by half an hour and a bit.
    clock(FRIDAY + 9 * 24 * HOUR + 40 * MINUTE)
    assert clocks(watch, case)["authority_grave"][1] == "Overdue by 0 h 30 min"
    send(watch, first, "authority", "2026-03-15T23:58")
    assert clocks(watch, case)["authority_grave"][1] == "In time"

    # Further information, then the safety officer closes; before that nothing closes.
    refused = close(watch, case)
    assert refused.status_code == 422
    final = sign(doctor, case, "final", cast.sub_investigator, later=1)
    clock(FRIDAY + 9 * 24 * HOUR + 2 * HOUR)
    send(watch, final, "authority", "2026-03-16T01:30")
    assert clocks(watch, case)["authority_grave_follow_up"][1] == "In time"
    assert close(watch, case).status_code == 302
    assert the(SaeCase, pk=case.pk).close_reason == "Recovered"


def page_of(client, case) -> str:
    text: str = client.get(f"/safety/cases/{case.pk}/").content.decode()
    return text


def close(client, case):
    version = client.get(f"/safety/cases/{case.pk}/").context["case"].version
    return client.post(
        f"/safety/cases/{case.pk}/close/", {"close-reason": "Recovered", "close-version": version}
    )

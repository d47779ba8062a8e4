import pytest

from trialsite.protocol import Protocol, Source, Text, UnknownPathError

WRITTEN = {Source.LISTING, Source.REGISTRY, Source.STANDARD, Source.ASSUMPTION}


def test_every_source_is_one_a_file_may_write(protocol: Protocol) -> None:
    sources = {leaf.source for leaf in protocol.provenance.leaves.values()}
    assert sources - {None} <= WRITTEN


def test_every_assumption_has_a_path_a_value_and_a_name_in_both_languages(
    protocol: Protocol,
) -> None:
    assumptions = protocol.assumptions()
    assert assumptions
    assert len({assumption.path for assumption in assumptions}) == len(assumptions)
    for assumption in assumptions:
        assert assumption.value
        assert assumption.label.en
        assert assumption.label.zh
        assert protocol.source_of(assumption.path) is Source.ASSUMPTION
        assert assumption.section == assumption.path.split(".")[0]


def test_an_assumption_is_named_in_the_words_of_its_place(second: Protocol) -> None:
    (window, *_) = second.assumptions()
    assert window.path == "schedule.events.SE.M3.window"
    assert window.value == "[76, 104]"
    assert window.label == Text(en="Month 3 · Window, days", zh="第3个月 · 访视窗（天）")


def test_a_value_keeps_its_sections_source_unless_it_names_its_own(second: Protocol) -> None:
    assert second.source_of("schedule.events.SE.M3.target_day") is Source.REGISTRY
    assert second.source_of("schedule.events.SE.M3.window") is Source.ASSUMPTION
    assert second.source_of("schedule.events.SE.M3.name.zh") is None


def test_confirming_settles_exactly_the_paths_named(protocol: Protocol) -> None:
    first, *others = protocol.assumptions()
    confirmed = protocol.with_confirmed([first.path])
    assert confirmed.source_of(first.path) is Source.CONFIRMED
    assert confirmed.assumptions() == tuple(others)
    assert protocol.source_of(first.path) is Source.ASSUMPTION


def test_confirming_everything_leaves_no_assumption(protocol: Protocol) -> None:
    paths = [assumption.path for assumption in protocol.assumptions()]
    assert protocol.with_confirmed(paths).assumptions() == ()
    assert protocol.with_confirmed(paths[:1]).with_confirmed(paths[1:]).assumptions() == ()


def test_confirming_what_is_no_assumption_changes_nothing(second: Protocol) -> None:
    confirmed = second.with_confirmed(["study.target_enrolment"])
    assert confirmed.source_of("study.target_enrolment") is Source.REGISTRY


def test_a_confirmation_is_no_part_of_the_content(protocol: Protocol) -> None:
    confirmed = protocol.with_confirmed([protocol.assumptions()[0].path])
    assert confirmed.content_hash == protocol.content_hash


def test_a_path_the_protocol_does_not_have_is_never_confirmed(protocol: Protocol) -> None:
    with pytest.raises(UnknownPathError, match=r"schedule\.events\.SE\.NONE"):
        protocol.with_confirmed(["schedule.events.SE.NONE.window"])
    with pytest.raises(UnknownPathError):
        protocol.source_of("nowhere")


def test_a_verdict_can_ask_what_it_rests_on(nct06904755: Protocol) -> None:
    resting = nct06904755.assumptions_under("criteria.IN03.rule")
    assert [assumption.path for assumption in resting] == [
        "criteria.IN03.rule.minimum_hours",
        "criteria.IN03.rule.maximum_hours",
    ]
    confirmed = nct06904755.with_confirmed(assumption.path for assumption in resting)
    assert confirmed.assumptions_under("criteria.IN03.rule") == ()


def test_a_section_is_not_mistaken_for_one_whose_name_it_starts(nct06904755: Protocol) -> None:
    day_one = nct06904755.assumptions_under("schedule.events.SE.D1")
    assert day_one
    assert not any(".SE.D14." in assumption.path for assumption in day_one)

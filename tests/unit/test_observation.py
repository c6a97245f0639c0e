"""Which of two sightings of a record is newer."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.formats.observation import Observation, observation, observed_at, source_number

NOON = datetime(2025, 9, 3, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KEY = "uploads/anything/page.json"

OBSERVATIONS = st.builds(
    observation,
    st.sampled_from([NOON, NOON + SECOND, (NOON + SECOND).astimezone(timezone(timedelta(hours=-5)))]),
    st.sampled_from([KEY, "another/key"]),
    st.none() | st.text("0123456789abcdefABCDEF", max_size=20),
    st.integers(1, 3),
)


def left_over(arrivals: list[Observation]) -> Observation:
    """What the database holds after the fence has let in only what is not older."""
    held = arrivals[0]
    for seen in arrivals[1:]:
        held = max(seen, held)
    return held


def test_an_observation_says_when_where_and_by_which_code_a_record_was_seen() -> None:
    seen = observation(NOON, KEY, "00ab", 3)
    assert (seen.observed_at, seen.source_key_hash, seen.transform_version) == (NOON, source_number(KEY), 3)
    assert seen.sequencer == "00AB" + 28 * "0"


def test_the_source_s_time_decides_first() -> None:
    assert observation(NOON, KEY, "FF", 9) < observation(NOON + SECOND, KEY, "00", 1)


def test_within_one_key_and_second_the_sequencer_decides() -> None:
    assert observation(NOON, KEY, "0055AED6DCD90281E5", 9) < observation(NOON, KEY, "0055AED6DCD90281E6", 1)


def test_sequencers_of_differing_length_are_padded_on_the_right() -> None:
    assert observation(NOON, KEY, "0FF", 1) < observation(NOON, KEY, "1", 1)
    assert observation(NOON, KEY, "1", 1) == observation(NOON, KEY, "1000", 1)
    assert observation(NOON, KEY, "1", 1) < observation(NOON, KEY, "10000000000000001", 1)


def test_the_case_of_a_sequencer_does_not_matter() -> None:
    assert observation(NOON, KEY, "00ab", 1) == observation(NOON, KEY, "00AB", 1)


def test_an_event_without_a_sequencer_is_the_oldest_of_its_key() -> None:
    assert observation(NOON, KEY, None, 9) < observation(NOON, KEY, "0000000001", 1)


def test_the_transform_version_decides_last() -> None:
    assert observation(NOON, KEY, "AA", 1) < observation(NOON, KEY, "AA", 2)


def test_a_source_number_fits_a_signed_bigint_and_never_changes() -> None:
    assert source_number("bronze/a/uploads/b.json") == -6_291_258_359_072_563_603
    assert all(-(2**63) <= source_number(str(n)) < 2**63 for n in range(1000))


@given(st.lists(OBSERVATIONS, min_size=1, max_size=8).flatmap(lambda a: st.tuples(st.just(a), st.permutations(a))))
def test_the_same_observation_is_left_over_whatever_the_order_of_arrival(
    orders: tuple[list[Observation], list[Observation]],
) -> None:
    assert left_over(orders[0]) == left_over(orders[1])


@given(OBSERVATIONS, OBSERVATIONS)
def test_any_two_observations_can_be_ordered(one: Observation, other: Observation) -> None:
    assert (one < other) + (one == other) + (one > other) == 1


def test_the_date_header_is_the_time_of_an_answer() -> None:
    assert observed_at("Wed, 03 Sep 2025 11:59:58 GMT", NOON) == NOON - 2 * SECOND


@pytest.mark.parametrize("header", ["Wed, 03 Sep 2025 12:00:01 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_date_header_is_never_believed_beyond_s3_s_time(header: str) -> None:
    assert observed_at(header, NOON) == NOON


@pytest.mark.parametrize("header", [None, "", "yesterday", "2025-13-45", "Wed, 99 Sep 2025 12:00:00 GMT", "\x00", "🕛"])
def test_without_a_readable_date_header_s3_s_time_counts(header: str | None) -> None:
    assert observed_at(header, NOON) == NOON


@pytest.mark.parametrize(
    "header",
    [
        "Wed, 03 Sep 2025 06:59:58 -0500",
        "Wed, 03 Sep 2025 13:29:58 +0130",
        "Wed, 03 Sep 2025 11:59:58 -0000",
        "Wed, 03 Sep 2025 11:59:58",
    ],
)
def test_a_date_header_of_any_zone_is_the_same_moment_and_without_one_it_is_utc(header: str) -> None:
    assert observed_at(header, NOON) == NOON - 2 * SECOND


@given(st.text(max_size=60))
def test_no_date_header_raises_or_is_later_than_s3_s_time(header: str) -> None:
    assert observed_at(header, NOON) <= NOON


def test_a_date_header_whose_year_no_clock_can_hold_counts_as_none() -> None:
    assert observed_at("Wed, 03 Sep 99999999999999999999 12:00:00 GMT", NOON) == NOON

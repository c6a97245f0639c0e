"""How raw records differ from what is declared and from what came before: pure comparisons."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, Field

from services.loader import drift
from services.loader.drift import Drift, Shares
from shared.datasets import registry
from shared.datasets.contract.options import BatchLimits
from shared.formats.silver import FieldProfile

LIMITS = BatchLimits().model_copy(update={"smallest": 20, "null_share_rise": 0.3})


def shape(objects: int = 100, **fields: dict[str, int]) -> FieldProfile:
    """Of so many records; `a__b` is the field b in a."""
    return {"": {"object": objects}, **{name.replace("__", "."): counts for name, counts in fields.items()}}


def found(
    seen: FieldProfile, before: Shares, known: tuple[str, ...] = ("a",), **values: tuple[str, ...]
) -> list[Drift]:
    """What is new."""
    return list(drift.schema_drifts(seen, before, known, values))


class Inner(BaseModel):
    code: str = Field(alias="Code")


class Outer(BaseModel):
    name: str = Field(alias="Name")
    spelled: str = Field(validation_alias=AliasChoices("Speled", "Spelled"))
    one: Inner | None = None
    many: list[Inner] = Field(default=[], alias="Many")


def test_a_model_declares_its_fields_by_all_their_names_and_those_of_what_is_in_them() -> None:
    assert set(drift.declared_paths(Outer)) == {"Name", "Speled", "Spelled", "one", "one.Code", "Many", "Many[].Code"}


def test_every_dataset_declares_its_key() -> None:
    for name in registry.names():
        raw = registry.dataset(name)
        assert set(raw.key_fields) <= set(drift.declared_paths(raw.record_model))


def test_known_values_are_of_fields_that_are_declared() -> None:
    for name in registry.names():
        raw = registry.dataset(name)
        assert raw.known_values.keys() <= set(drift.declared_paths(raw.record_model))


# What is new


def test_a_field_that_nobody_declared_is_told_with_its_types_and_how_often_it_came() -> None:
    assert found(shape(a={"string": 1}, new={"string": 3, "null": 2}), {}) == [
        Drift("unknown_field", "new", "null, string", 5)
    ]


def test_of_an_unknown_object_only_the_object_is_told() -> None:
    seen = shape(new={"object": 2}, new__inner={"string": 2}, new__inner__deep={"string": 2})
    assert [one.path for one in found(seen, {})] == ["new"]


def test_an_unknown_field_of_a_declared_object_or_list_is_told() -> None:
    seen: FieldProfile = {
        "": {"object": 1},
        "a": {"object": 1},
        "a.new": {"string": 1},
        "b": {"array": 1},
        "b[]": {"object": 4},
        "b[].new": {"string": 4},
        "b[].c": {"string": 4},
    }
    assert [(one.path, one.records) for one in found(seen, {}, ("a", "b", "b[].c"))] == [("a.new", 1), ("b[].new", 4)]


def test_a_type_that_was_not_there_before_is_told() -> None:
    before = {"a": {"string": 0.9, "null": 0.1}}
    assert found(shape(a={"string": 4, "number": 2, "object": 1}), before) == [
        Drift("type_change", "a", "number, was string", 2),
        Drift("type_change", "a", "object, was string", 1),
    ]


@pytest.mark.parametrize(
    "before",
    [{}, {"a": {"null": 1.0}}, {"a": {"number": 1.0}}, {"a": {"number": 0.01, "string": 0.99}}],
    ids=["never seen", "only null before", "the same", "rare before"],
)
def test_a_type_is_not_told_where_it_is_none_or_was_there_before(before: Shares) -> None:
    assert found(shape(a={"number": 5, "null": 3}), before) == []


def test_a_value_that_is_not_documented_is_told_whatever_was_there_before() -> None:
    seen = shape(a={"string": 9, "=x": 4, "=new": 3, "=": 2})
    before = {"a": {"string": 1.0, "=new": 0.5}}
    assert found(seen, before, a=("x", "y")) == [
        Drift("new_value", "a", "", 2),
        Drift("new_value", "a", "new", 3),
    ]


# What is gone, or rarer


def test_a_field_that_most_records_had_and_none_has_is_told() -> None:
    before = {"a": {"string": 0.7, "null": 0.3}, "rare": {"string": 0.4}, "empty": {"null": 1.0}}
    assert list(drift.vanished_fields(shape(20), before, LIMITS)) == [Drift("vanished_field", "a", "was in 70%", 20)]


def test_a_field_that_is_still_there_or_of_too_few_records_is_not_told_as_gone() -> None:
    before = {"a": {"string": 1.0}, "b.c": {"string": 1.0}}
    assert list(drift.vanished_fields(shape(19), before, LIMITS)) == []
    assert list(drift.vanished_fields(shape(100, a={"null": 1}, b={"object": 19}), before, LIMITS)) == []
    assert [one.path for one in drift.vanished_fields(shape(100, a={"null": 1}, b={"object": 20}), before, LIMITS)] == [
        "b.c"
    ]


def test_a_field_that_many_more_records_lack_is_warned_about() -> None:
    before = {"a": {"string": 0.9, "null": 0.1}, "b": {"string": 0.9}}
    seen = shape(100, a={"string": 59, "null": 41}, b={"string": 61})
    (warning,) = drift.null_shares(seen, before, LIMITS)
    assert (warning.rule, warning.field, warning.message) == ("null_share", "a", "in 59%, of late in 90%")


def test_values_are_no_part_of_how_many_records_have_a_field() -> None:
    before = {"a": {"string": 1.0, "=x": 1.0}}
    assert list(drift.null_shares(shape(100, a={"string": 100, "=x": 100}), before, LIMITS)) == []
    assert len(list(drift.null_shares(shape(100, a={"string": 10, "null": 90, "=x": 10}), before, LIMITS))) == 1


def test_few_records_or_a_field_never_seen_before_raise_no_warning() -> None:
    assert list(drift.null_shares(shape(19, a={"null": 19}), {"a": {"string": 1.0}}, LIMITS)) == []
    assert list(drift.null_shares(shape(100, a={"null": 100}), {}, LIMITS)) == []


# Shares and averages


def test_shares_are_of_the_objects_that_could_have_the_field() -> None:
    seen: FieldProfile = {
        "": {"object": 10},
        "a": {"string": 5, "null": 5},
        "b": {"array": 10},
        "b[]": {"object": 4},
        "b[].c": {"string": 1, "=x": 1},
    }
    assert drift.shares(seen) == {
        "a": {"string": 0.5, "null": 0.5},
        "b": {"array": 1.0},
        "b[].c": {"string": 0.25, "=x": 0.25},
    }


def test_records_that_are_no_objects_have_no_shares() -> None:
    assert drift.shares({}) == {}


def test_what_is_seen_for_the_first_time_counts_in_full_and_then_moves_the_average_slowly() -> None:
    first = drift.averaged({"a": {"string": 1.0}}, {})
    assert first == {"a": {"string": 1.0}}
    second = drift.averaged({"a": {"string": 0.5, "null": 0.5}}, first)
    assert second["a"] == pytest.approx({"string": 0.85, "null": 0.15})
    third = drift.averaged({}, second)
    assert third["a"] == pytest.approx({"string": 0.595, "null": 0.105})


SHARES = st.dictionaries(
    st.sampled_from(["a", "b", "c.d"]),
    st.dictionaries(st.sampled_from(["string", "null", "=x"]), st.floats(0, 1), min_size=1, max_size=3),
    max_size=3,
)


@given(SHARES, SHARES)
def test_an_average_lies_between_what_it_is_of(now: Shares, before: Shares) -> None:
    for path, kinds in drift.averaged(now, before).items():
        for kind, share in kinds.items():
            ends = sorted((now.get(path, {}).get(kind, 0.0), before.get(path, {}).get(kind, 0.0)))
            assert ends[0] - 1e-9 <= share <= ends[1] + 1e-9


@given(SHARES)
def test_what_stays_the_same_stays_the_average(shares: Shares) -> None:
    for path, kinds in drift.averaged(shares, shares).items():
        assert kinds == pytest.approx(shares[path])

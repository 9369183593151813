"""Field by field: what the file says is applied, and what a person set is not lost unasked."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from infra.setup.fields import ABSENT, applied_after, differences, mark, marks

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.text(max_size=3),
    st.lists(st.integers(0, 2), max_size=2),
    st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), max_size=2),
)
FIELDS = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), VALUES)


def set_up(
    desired: dict[str, Any], observed: dict[str, Any], applied: dict[str, str], **how: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the server has afterwards, and the marks."""
    overwrite = how.get("overwrite", False)
    after = dict(observed)
    for change in differences(desired, observed, applied):
        if overwrite or not change.by_a_person:
            after[change.path] = change.after
    after = {path: value for path, value in after.items() if value is not ABSENT}
    return after, applied_after(desired, after, applied)


def is_empty(value: Any) -> bool:
    return value in (ABSENT, None, "", [], {})


@given(FIELDS, FIELDS, FIELDS)
def test_a_second_time_changes_nothing(
    desired: dict[str, Any], observed: dict[str, Any], before: dict[str, Any]
) -> None:
    applied = {path: mark(value) for path, value in before.items()}
    once, marks_once = set_up(desired, observed, applied)
    twice, marks_twice = set_up(desired, once, marks_once)
    assert twice == once
    assert marks_twice == marks_once


@given(FIELDS, FIELDS, FIELDS)
def test_what_a_person_set_is_there_afterwards(
    first: dict[str, Any], persons: dict[str, Any], second: dict[str, Any]
) -> None:
    """Whatever the file said before and says now."""
    there, applied = set_up(first, {}, {})
    changed = {
        path: value
        for path, value in persons.items()
        if not is_empty(value) and there.get(path, ABSENT) != value
    }
    after, _ = set_up(second, {**there, **changed}, applied)
    assert {path: after.get(path) for path in changed} == changed


@given(FIELDS, FIELDS, FIELDS)
def test_overwriting_leads_to_what_the_file_says(
    first: dict[str, Any], persons: dict[str, Any], second: dict[str, Any]
) -> None:
    there, applied = set_up(first, {}, {})
    after, _ = set_up(second, {**there, **persons}, applied, overwrite=True)
    for path, value in second.items():
        assert after.get(path) == value or (is_empty(value) and is_empty(after.get(path)))


@given(FIELDS, FIELDS)
def test_a_new_version_of_the_file_replaces_the_old_one(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    there, applied = set_up(first, {}, {})
    after, _ = set_up(second, there, applied)
    full = {path: value for path, value in after.items() if not is_empty(value)}
    assert full == {path: value for path, value in second.items() if not is_empty(value)}


def test_fields_of_the_code_are_nobodys() -> None:
    (change,) = differences({"a": 1}, {"a": 2}, {}, of_code=frozenset("a"))
    assert not change.by_a_person


def test_where_the_code_lies_stays_as_another_file_has_it() -> None:
    """Nobody sets it by hand, but a plain `up` is run from another checkout."""
    of = {"of_code": frozenset({"pull_steps", "schema"})}
    others = {"production": {"pull_steps": mark(["/opt"]), "schema": mark("old")}}
    there = {"pull_steps": ["/opt"], "schema": "old"}
    desired = {"pull_steps": ["/home"], "schema": "new"}
    assert not any(each.needs_overwrite for each in differences(desired, there, {}, **of))
    marked = {"pull_steps": others["production"]["pull_steps"]}
    found = [*differences(desired, there, {}, others={"production": marked}, **of)]
    assert [each.set_by for each in found] == ["production", ""]


def test_what_has_left_one_file_and_is_in_another_is_not_taken_back() -> None:
    applied, others = {"a": mark(1), "b": mark(2)}, {"other": {"a": mark(1)}}
    (change,) = differences({}, {"a": 1, "b": 2}, applied, others=others)
    assert (change.path, change.after) == ("b", ABSENT)


def test_marks_tell_a_value_from_another_and_not_what_it_is() -> None:
    one, other = (mark("pass-word", secret=True) for _ in range(2))
    assert one != other
    assert marks(one, "pass-word")
    assert not marks(one, "password")
    assert "pass" not in one + other


def test_a_secret_is_not_shown() -> None:
    (change,) = differences({"a": "new-secret"}, {"a": "old-secret"}, {}, secret=frozenset("a"))
    assert "secret" not in " ".join(change.shown())

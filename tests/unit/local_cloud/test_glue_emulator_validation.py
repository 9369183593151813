"""Input checks and pages of the local Glue."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.aws.glue.definitions.validation import checked_input
from localcloud.aws.glue.errors import GlueError
from localcloud.aws.glue.paging import page


def refusal(operation: str, parameters: Any) -> GlueError:
    with pytest.raises(GlueError) as refused:
        checked_input(operation, parameters)
    return refused.value


def test_unknown_members_and_nulls_are_dropped_at_every_depth() -> None:
    """As the JSON protocol wants it."""
    accepted = checked_input(
        "UpdateJob",
        {
            "JobName": "job",
            "Extra": 1,
            "JobUpdate": {"Role": "r", "Command": {"Name": "glueetl", "New": {}}, "LogUri": None},
        },
    )
    assert accepted == {
        "JobName": "job",
        "JobUpdate": {"Role": "r", "Command": {"Name": "glueetl"}},
    }


@pytest.mark.parametrize(
    ("operation", "parameters", "text"),
    [
        ("GetJob", {}, "Value null at 'jobName' failed to satisfy constraint: Member must not be"),
        ("GetJob", {"JobName": ""}, "length greater than or equal to 1"),
        ("GetJob", {"JobName": "x" * 256}, "length less than or equal to 255"),
        ("GetJob", {"JobName": "a\x00b"}, "regular expression pattern"),
        ("GetJobRuns", {"JobName": "j", "MaxResults": 0}, "greater than or equal to 1"),
        ("GetJobRuns", {"JobName": "j", "MaxResults": 201}, "less than or equal to 200"),
        (
            "StartJobRun",
            {"JobName": "j", "WorkerType": "G.3X"},
            "enum value set: [Standard, G.025X, G.1X",
        ),
        ("BatchStopJobRun", {"JobName": "j", "JobRunIds": []}, "'jobRunIds'"),
        ("BatchStopJobRun", {"JobName": "j", "JobRunIds": [""]}, "'jobRunIds.1.member'"),
    ],
)
def test_a_broken_constraint_is_named(operation: str, parameters: Any, text: str) -> None:
    """In the words of AWS's validation."""
    error = refusal(operation, parameters)
    assert error.code == "ValidationException"
    assert error.message.startswith("1 validation error detected: Value ")
    assert text in error.message


def test_several_broken_constraints_are_counted() -> None:
    """All at once."""
    error = refusal("GetJobRuns", {"JobName": "", "MaxResults": 0})
    assert error.message.startswith("2 validation errors detected: ")


@pytest.mark.parametrize(
    "parameters",
    [[], "text", {"JobName": 1}, {"JobName": "j", "MaxResults": True}, {"JobName": ["j"]}],
)
def test_a_wrong_type_cannot_be_read(parameters: Any) -> None:
    """Before any constraint is looked at."""
    assert refusal("GetJobRuns", parameters).code == "SerializationException"


def test_names_beyond_the_basic_plane_are_names() -> None:
    """The model writes them as surrogates."""
    assert checked_input("GetJob", {"JobName": "job 🚀 ä"}) == {"JobName": "job 🚀 ä"}


@given(st.integers(0, 30), st.integers(1, 12))
def test_pages_join_to_the_whole(count: int, size: int) -> None:
    """Nothing lost, nothing twice, no empty page at the end."""
    items = [f"item-{number}" for number in range(count)]
    seen: list[str] = []
    token = None
    while True:
        shown, token = page(items, str, token, size)
        assert len(shown) <= size
        seen += shown
        if token is None:
            break
        assert shown
    assert seen == items


@given(st.integers(1, 20), st.integers(1, 5), st.integers(0, 5))
def test_items_added_in_front_do_not_move_the_next_page(count: int, size: int, added: int) -> None:
    """New runs come first and must not push old ones into the next page again."""
    items = [f"item-{number}" for number in range(count)]
    first, token = page(items, str, None, size)
    if token is not None:
        newer = [f"newer-{number}" for number in range(added)]
        second, _ = page([*newer, *items], str, token, size)
        assert second == items[size : 2 * size]
    assert first == items[:size]


@pytest.mark.parametrize("token", ["nonsense", "bm90LW1pbmU=", "ä"])
def test_a_foreign_token_is_refused(token: str) -> None:
    """Not taken for the beginning."""
    with pytest.raises(GlueError, match="NextToken"):
        page(["a"], str, token, 1)

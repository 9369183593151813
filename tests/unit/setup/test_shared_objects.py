"""Two files that name the same object on one server: neither undoes what the other set."""

from __future__ import annotations

import pytest

from flinkglue.errors import CallFailed
from infra.setup.plan import Verb, plan_of
from infra.setup.record import WITHOUT_FILE
from tests.unit.setup.limits_on_the_wire import FakeLimits, done


def test_what_another_file_set_is_shown_and_stays() -> None:
    server = FakeLimits()
    server.up("team-a", {"warehouse": 5})
    step = server.up("team-b", {"warehouse": 9})["warehouse"]
    assert step.verb is Verb.SAME
    (kept,) = step.kept
    assert (kept.path, kept.before, kept.after, kept.set_by) == ("limit", 5, 9, "team-a")
    assert server.limits["warehouse"]["limit"] == 5


def test_a_set_up_without_a_file_changes_nothing_back() -> None:
    server = FakeLimits()
    server.up("production", {"warehouse": 5})
    assert server.up(WITHOUT_FILE, {"warehouse": 9})["warehouse"].kept
    assert server.limits["warehouse"]["limit"] == 5


def test_a_file_takes_over_what_was_set_up_without_one() -> None:
    server = FakeLimits()
    server.up(WITHOUT_FILE, {"warehouse": 9})
    assert not server.up("production", {"warehouse": 5})["warehouse"].kept
    assert server.limits["warehouse"]["limit"] == 5
    assert server.down("production", {"warehouse": 5})["warehouse"].verb is Verb.DELETE


def test_each_file_goes_on_with_its_own_settings() -> None:
    """Both said the same, so the one that says otherwise now is not held by the other."""
    server = FakeLimits()
    server.up("team-a", {"warehouse": 5})
    server.up("team-b", {"warehouse": 5})
    assert not server.up("team-b", {"warehouse": 6})["warehouse"].kept
    assert server.up("team-a", {"warehouse": 5})["warehouse"].kept
    assert server.limits["warehouse"]["limit"] == 6


def test_overwriting_takes_it_over() -> None:
    server = FakeLimits()
    server.up("team-a", {"warehouse": 5})
    server.up("team-b", {"warehouse": 9}, overwrite=True)
    assert server.limits["warehouse"]["limit"] == 9
    (kept,) = server.up("team-a", {"warehouse": 5})["warehouse"].kept
    assert kept.set_by == "team-b"


@pytest.mark.parametrize("first", ["team-a", "team-b"])
def test_only_the_last_file_that_names_an_object_deletes_it(first: str) -> None:
    server = FakeLimits()
    server.up("team-a", {"warehouse": 5})
    server.up("team-b", {"warehouse": 5})
    step = server.down(first, {"warehouse": 5})["warehouse"]
    (last,) = {"team-a", "team-b"} - {first}
    assert (step.verb, step.note) == (Verb.LEFT, f"it is set up from {last}, too")
    assert "warehouse" in server.limits
    assert server.down(first, {"warehouse": 5}) == {}
    assert server.down(last, {"warehouse": 5})["warehouse"].verb is Verb.DELETE
    assert server.limits == {}
    assert server.rows == {}


def test_what_has_left_one_file_is_not_pruned_while_another_names_it() -> None:
    server = FakeLimits()
    server.up("team-a", {"warehouse": 5})
    server.up("team-b", {"warehouse": 5})
    assert server.up("team-a", {}, prune=True)["warehouse"].verb is Verb.LEFT
    assert server.up("team-b", {}, prune=True)["warehouse"].verb is Verb.DELETE


def test_what_people_make_after_a_refused_creation_is_theirs() -> None:
    server = FakeLimits()
    server.refuses = True
    with pytest.raises(CallFailed):
        server.up("team-a", {"warehouse": 5})
    server.limits["warehouse"] = {"limit": 5, "active": True, "slot_decay_per_second": 0}
    server.up("team-a", {"warehouse": 5})
    assert server.down("team-a", {"warehouse": 5})["warehouse"].verb is Verb.LEFT
    assert "warehouse" in server.limits


def test_what_people_make_after_a_refused_repetition_is_theirs() -> None:
    server = FakeLimits()
    server.up("team-a", {"warehouse": 5})
    del server.limits["warehouse"]
    server.refuses = True
    with pytest.raises(CallFailed):
        server.up("team-a", {"warehouse": 5})
    server.limits["warehouse"] = {"limit": 5, "active": True, "slot_decay_per_second": 0}
    assert server.down("team-a", {"warehouse": 5})["warehouse"].verb is Verb.LEFT


def test_files_that_are_set_up_at_the_same_time_do_not_forget_each_other() -> None:
    """As two pipelines of one push."""
    server = FakeLimits()
    server.up("team-a", {"warehouse": 5})
    ours, theirs = (server.begun(name, {"warehouse": 5}) for name in ("team-b", "team-c"))
    ours()
    theirs()
    for name in ("team-a", "team-b"):
        assert server.down(name, {"warehouse": 5})["warehouse"].verb is Verb.LEFT
    assert server.down("team-c", {"warehouse": 5})["warehouse"].verb is Verb.DELETE
    assert (server.limits, server.rows) == ({}, {})


def test_what_the_other_created_meanwhile_is_still_deleted_with_the_last_file() -> None:
    """The second read the records before the first wrote its own, and the limit after it."""
    server = FakeLimits()
    kinds, records = server.of({"warehouse": 5})
    server.up("team-a", {"warehouse": 5})
    done(plan_of(kinds, records, "team-b"), records, "team-b")
    server.down("team-a", {"warehouse": 5})
    assert server.down("team-b", {"warehouse": 5})["warehouse"].verb is Verb.DELETE


def test_what_another_file_begins_to_name_meanwhile_is_not_deleted() -> None:
    server = FakeLimits()
    server.up("team-a", {"warehouse": 5})
    undone = server.down_begun("team-a", {"warehouse": 5})
    server.up("team-b", {"warehouse": 5})
    assert undone()["warehouse"].verb is Verb.LEFT
    assert "warehouse" in server.limits
    assert server.down("team-b", {"warehouse": 5})["warehouse"].verb is Verb.DELETE


def test_undone_twice_at_the_same_time_it_is_deleted_once() -> None:
    server = FakeLimits()
    server.up("team-a", {"warehouse": 5})
    first, second = (server.down_begun("team-a", {"warehouse": 5}) for _ in range(2))
    first()
    server.limits["warehouse"] = {"limit": 7}  # somebody makes one of their own
    assert second()["warehouse"].verb is Verb.LEFT
    assert server.limits["warehouse"] == {"limit": 7}


def test_the_marks_of_a_set_up_without_a_file_outlive_the_file_that_goes() -> None:
    server = FakeLimits()
    server.up("production", {"warehouse": 5})
    server.up(WITHOUT_FILE, {"warehouse": 5})
    server.down("production", {"warehouse": 5})
    assert server.down(WITHOUT_FILE, {"warehouse": 5})["warehouse"].verb is Verb.DELETE

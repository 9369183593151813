"""Two files that name the same object on one server: neither undoes what the other set."""

from __future__ import annotations

import pytest

from flinkglue.errors import CallFailed
from infra.setup.plan import Verb
from infra.setup.record import WITHOUT_FILE
from tests.unit.setup.limits_on_the_wire import FakeLimits


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

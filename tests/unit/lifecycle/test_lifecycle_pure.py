"""Models, ids, health, readiness and retention of the job lifecycle: values in, values out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import InvalidInput, JobFailed
from flinkglue.lifecycle.differences import Difference
from flinkglue.lifecycle.ids import job_id_of, trigger_id_of
from flinkglue.lifecycle.models import Action, Jar, JobSpec, JobView, Outcome, Savepoint
from flinkglue.lifecycle.readiness import NotReady, ReadyGate, ReadyLimits
from flinkglue.lifecycle.state.retention import Retention, disposable
from flinkglue.lifecycle.state_paths import is_same_path

JAR = Jar("/jars/orders.jar", "a" * 64, 10)
SPEC = JobSpec("orders", JAR)
RUNNING = JobView("f" * 32, "orders", "RUNNING", 4, 4, checkpoint_every_seconds=1)


class TestIds:
    @given(st.text(), st.text(), st.integers(0, 10**6))
    def test_an_id_is_what_flink_takes_and_always_the_same(
        self, intent: str, job_name: str, generation: int
    ) -> None:
        job_id = job_id_of(intent, job_name, generation)
        assert re.fullmatch("[0-9a-f]{32}", job_id)
        assert job_id == job_id_of(intent, job_name, generation)

    @given(st.lists(st.tuples(st.text(), st.text(), st.integers(0, 99)), unique=True, max_size=20))
    def test_another_intent_job_or_generation_has_another_id(
        self, asked: list[tuple[str, str, int]]
    ) -> None:
        assert len({job_id_of(*one) for one in asked}) == len(asked)

    def test_a_trigger_is_never_a_job(self) -> None:
        assert trigger_id_of("i", "orders", 1, "STOP") != job_id_of("i", "orders", 1)


class TestSpec:
    @pytest.mark.parametrize(
        ("field", "value"),
        [("job_name", " "), ("parallelism", 0), ("parallelism", 40_000), ("restore_mode", "MINE")],
    )
    def test_bad_input_is_refused_by_the_fields_name(self, field: str, value: object) -> None:
        with pytest.raises(InvalidInput, match=field):
            replace(SPEC, **{field: value})

    @pytest.mark.parametrize("uri", ["/jars/orders.zip", "https://example.com/orders.jar?x=1"])
    def test_a_jar_is_known_by_its_ending(self, uri: str) -> None:
        with pytest.raises(InvalidInput, match="jar"):
            Jar(uri, "a" * 64)

    def test_a_spec_is_the_same_wherever_its_jar_lies(self) -> None:
        moved = replace(SPEC, jar=replace(JAR, uri="s3://bucket/orders.jar"))
        assert moved.digest() == SPEC.digest()
        assert SPEC.difference(moved) == ()

    def test_what_changes_is_told_field_by_field(self) -> None:
        old = replace(SPEC, flink_configuration={"a": "1", "b": "2"})
        new = replace(
            SPEC,
            jar=Jar("/jars/orders.jar", "b" * 64, 11),
            parallelism=2,
            flink_configuration={"a": "1", "c": "3"},
        )
        changes = {change.field: (change.old, change.new) for change in old.difference(new)}
        assert set(changes) == {
            "jar",
            "parallelism",
            "flink_configuration[b]",
            "flink_configuration[c]",
        }
        assert changes["parallelism"] == ("1", "2")
        assert changes["flink_configuration[b]"] == ("2", "(unset)")

    def test_arguments_are_told_as_they_stand_on_a_command_line(self) -> None:
        old = replace(SPEC, args=(), entry_class=None)
        new = replace(
            SPEC, args=("--topic", "new orders", "--every", "5"), entry_class="com.Orders"
        )
        assert old.difference(new) == (
            Difference("entry_class", "(unset)", "com.Orders"),
            Difference("args", "(unset)", "--topic 'new orders' --every 5"),
        )

    @given(st.integers(1, 100), st.integers(1, 100))
    def test_specs_differ_exactly_when_their_digests_do(self, one: int, other: int) -> None:
        first, second = replace(SPEC, parallelism=one), replace(SPEC, parallelism=other)
        assert (first.digest() == second.digest()) == (not first.difference(second))


class TestView:
    @given(st.text(), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
    def test_only_flinks_terminal_states_end_a_job(
        self, state: str, total: int, running: int, finished: int
    ) -> None:
        view = JobView("id", "orders", state, total, running, finished)
        assert view.is_terminal == (state in {"FINISHED", "CANCELED", "FAILED"})
        if view.is_running_for_real:
            assert (state, running + finished) == ("RUNNING", total)
            assert total > 0

    @pytest.mark.parametrize(
        ("state", "on_cancel", "on_failure", "kept"),
        [
            ("RUNNING", True, True, "chk-2"),
            ("RUNNING", False, True, None),
            ("FAILED", False, True, "chk-2"),
            ("FAILED", False, False, None),
            ("CANCELED", True, True, "chk-2"),
            ("FINISHED", True, True, None),
        ],
    )
    def test_the_kept_state_depends_on_how_the_job_ends(
        self, state: str, on_cancel: bool, on_failure: bool, kept: str | None
    ) -> None:
        view = replace(
            RUNNING,
            state=state,
            kept_on_cancel=on_cancel,
            kept_on_failure=on_failure,
            completed_checkpoints=2,
            checkpoint_path="chk-2",
            restored_path="savepoint-1",
        )
        assert view.kept_checkpoint == kept

    @pytest.mark.parametrize("on_cancel", [True, False])
    def test_what_a_job_began_with_is_no_checkpoint_of_its_own(self, on_cancel: bool) -> None:
        view = replace(RUNNING, kept_on_cancel=on_cancel, restored_path="savepoint-1")
        assert view.kept_checkpoint is None

    @pytest.mark.parametrize(("on_cancel", "kept"), [(True, True), (False, False)])
    def test_what_it_went_on_from_after_a_failover_is_one(
        self, on_cancel: bool, kept: bool
    ) -> None:
        """The JobManager counts anew, and deletes it with the others."""
        path = f"file:/checkpoints/{RUNNING.job_id}/chk-57"
        view = replace(RUNNING, kept_on_cancel=on_cancel, restored_path=path)
        assert view.kept_checkpoint == (path if kept else None)


def test_a_failed_outcome_raises_with_its_failure() -> None:
    with pytest.raises(JobFailed, match="UPDATE of orders failed: too bad"):
        Outcome(Action.UPDATE, "orders", failure="too bad").raise_for_failure()


class TestReadiness:
    LIMITS = ReadyLimits(within_seconds=30, stable_seconds=5, most_restarts=3)
    READY = replace(RUNNING, completed_checkpoints=1)

    def gate(self) -> ReadyGate:
        return ReadyGate(self.LIMITS, now=0)

    def test_a_job_is_ready_after_it_was_stable(self) -> None:
        gate = self.gate()
        assert [gate.passes(self.READY, now) for now in (0, 4, 5)] == [False, False, True]

    def test_a_restart_begins_the_stable_time_anew(self) -> None:
        gate = self.gate()
        assert not gate.passes(self.READY, 0)
        again = replace(self.READY, restarts=1)
        assert [gate.passes(again, now) for now in (4, 5, 9, 10)] == [False, False, False, True]

    def test_running_without_running_tasks_or_a_checkpoint_is_not_ready(self) -> None:
        gate = self.gate()
        assert not any(gate.passes(RUNNING, now) for now in range(20))
        assert not any(gate.passes(replace(self.READY, tasks_running=3), n) for n in range(20, 25))

    def test_a_crash_loop_is_told_with_its_cause_which_shows_late(self) -> None:
        """Not for ever: a service that tells none does not make the job ready."""
        gate, crashed = self.gate(), replace(self.READY, restarts=3)
        assert not any(gate.passes(crashed, now) for now in range(4))
        with pytest.raises(NotReady, match=r"crash loop.*Boom"):
            gate.passes(replace(crashed, exception="Boom"), 4)
        with pytest.raises(NotReady, match="crash loop"):
            gate.passes(crashed, 15)

    @pytest.mark.parametrize(
        ("view", "cause"),
        [
            (None, "no longer knows"),
            (replace(RUNNING, state="FAILED", exception="Boom"), "Boom"),
            (replace(RUNNING, state="CANCELED"), "CANCELED"),
            (replace(RUNNING, restarts=3, exception="Boom"), "crash loop.*Boom"),
        ],
    )
    def test_what_will_never_be_ready_is_told_at_once(
        self, view: JobView | None, cause: str
    ) -> None:
        with pytest.raises(NotReady, match=cause):
            self.gate().passes(view, 0)

    def test_a_slow_checkpoint_interval_prolongs_the_wait(self) -> None:
        slow = replace(RUNNING, checkpoint_every_seconds=60)
        gate = self.gate()
        assert not gate.passes(slow, 140)
        with pytest.raises(NotReady, match="no checkpoint has completed"):
            gate.passes(slow, 151)

    def test_a_bounded_job_that_finished_is_ready(self) -> None:
        assert self.gate().passes(replace(RUNNING, state="FINISHED"), 0)


savepoints = st.lists(
    st.builds(
        Savepoint,
        job_name=st.just("orders"),
        job_id=st.just("f" * 32),
        path=st.uuids().map(str),
        taken_at=st.floats(0, 1000),
        origin=st.sampled_from(["SAVEPOINT", "STOP", "directory"]),
    ),
    max_size=12,
    unique_by=lambda savepoint: savepoint.path,
)


class TestRetention:
    @given(
        savepoints,
        st.none() | st.integers(1, 5),
        st.none() | st.floats(1, 500),
        st.sets(st.integers(0, 11)),
    )
    def test_nothing_that_must_stay_goes_and_nothing_that_may_stay_is_left_over(
        self, ledger: list[Savepoint], keep: int | None, age: float | None, used: set[int]
    ) -> None:
        in_use = {savepoint.path for i, savepoint in enumerate(ledger) if i in used}
        kept = frozenset(savepoint.path for savepoint in ledger[::3])
        going = disposable(ledger, Retention(keep, age, kept), in_use=in_use, now=1000)
        ours = [savepoint for savepoint in ledger if savepoint.origin != "directory"]
        assert all(savepoint in ours and savepoint.path not in kept for savepoint in going)
        assert not in_use & {savepoint.path for savepoint in going}
        if ours:
            newest = max(savepoint.taken_at for savepoint in ours)
            assert any(savepoint.taken_at == newest for savepoint in ours if savepoint not in going)
        if keep is None and age is None:
            assert going == []
        if age is None and keep is not None:
            assert len(ours) - len(going) >= min(keep, len(ours))
            free = [one for one in ours if one.path not in in_use | kept]
            assert len(ours) - len(going) <= keep + len(ours) - len(free)

    def test_the_last_good_one_stays_however_old(self) -> None:
        old = Savepoint("orders", "f" * 32, "s1", 0, origin="STOP")
        assert disposable([old], Retention(1, 1), in_use=(), now=10**9) == []

    @pytest.mark.parametrize(
        ("known", "told"),
        [
            ("file:/state/s1", "file:///state/s1/"),
            ("file:/state/s1", "/state/s1"),
            ("abfs://c@a.dfs.core.windows.net/s1", "abfss://c@a.dfs.core.windows.net/s1/"),
            ("s3://bucket/s1", "s3a://bucket/s1/_metadata"),
        ],
    )
    @pytest.mark.parametrize("named", ["in_use", "kept"])
    def test_one_that_must_stay_is_known_by_any_spelling(
        self, known: str, told: str, named: str
    ) -> None:
        old = Savepoint("orders", "f" * 32, known, 1, origin="STOP")
        ledger = [old, replace(old, path="s2", taken_at=2)]
        limits = Retention(1, kept_paths=frozenset({told} if named == "kept" else ()))
        in_use = {told} if named == "in_use" else set()
        assert disposable(ledger, limits, in_use=in_use, now=10) == []

    def test_one_in_other_storage_is_another(self) -> None:
        assert not is_same_path(
            "abfs://c@a.dfs.core.windows.net/s", "abfs://c@b.dfs.core.windows.net/s"
        )
        assert not is_same_path("s3://bucket/s", "abfs://bucket/s")

    def test_one_that_flink_owns_is_not_the_last_good_one(self) -> None:
        """And is not disposed of here."""
        good = Savepoint("orders", "f" * 32, "s1", 1, origin="STOP")
        claimed = Savepoint("orders", "f" * 32, "s2", 2, origin="STOP", claimed=True)
        assert disposable([good, claimed], Retention(1, 1), in_use=(), now=10**9) == []

    @pytest.mark.parametrize("limits", [{"keep": 0}, {"most_age_seconds": 0}])
    def test_limits_that_keep_nothing_are_refused(self, limits: dict[str, int]) -> None:
        with pytest.raises(InvalidInput):
            Retention(**limits)


def test_a_view_is_one_phrase_whatever_its_exception_ends_with() -> None:
    view = JobView("a", "orders", "RESTARTING", 2, restarts=1, exception="Error: no state.")
    assert view.in_words() == "RESTARTING (0 of 2 tasks, 1 restart, Error: no state)"

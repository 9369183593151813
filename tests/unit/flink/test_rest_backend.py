"""Submitting to and looking at a JobManager: every measured quirk, met by the backend."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from flinkglue.errors import InDoubt, NotFound, PermissionDenied, ServiceUnavailable
from flinkglue.lifecycle.backend import LaunchRefused
from tests.unit.flink.rest_bench import ASK, JOB_ID, Bench, errors, failing, unknown_job
from tests.unit.lifecycle.fake_flink_jobs import Behaviour


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class TestSubmit:
    @pytest.mark.parametrize("version", ["1.17", "2.3"])
    def test_the_body_is_what_every_version_takes(self, tmp_path: Path, version: str) -> None:
        """1.17 answers 400 to unknown fields, 2.x ignores programArgs: neither is sent."""
        bench = Bench(tmp_path, version=version)
        bench.jobmanager.stored["file:/the state/savepoints/savepoint-000000-1"] = (7, 0.0)
        restore_from = "file:/the state/savepoints/savepoint-000000-1"
        bench.backend().submit(bench.launch(restore_from=restore_from))
        assert bench.jobmanager.jobs[JOB_ID].body == {
            "jobId": JOB_ID,
            "entryClass": "Count",
            "programArgsList": ["--a", "b c"],
            "parallelism": 2,
            "savepointPath": restore_from,
            "allowNonRestoredState": False,
            "restoreMode": "NO_CLAIM",
            "flinkConfiguration": {"pipeline.name": "orders"},
        }

    @pytest.mark.parametrize("version", ["1.17", "2.3"])
    def test_a_second_submission_is_adopted(self, tmp_path: Path, version: str) -> None:
        """The look comes too early and the job id is already taken: 400 with Duplicate…."""
        bench = Bench(tmp_path, version=version)
        first = bench.backend().submit(bench.launch())
        bench.instead = failing(JOB_ID, unknown_job())
        second = bench.backend().submit(bench.launch(requested_before=True))
        assert second.job_id == first.job_id
        assert len(bench.jobmanager.jobs) == 1
        assert len(bench.sent("POST", "/run")) == 2

    def test_a_job_that_is_there_is_adopted_without_a_submit(self, bench: Bench) -> None:
        bench.backend().submit(bench.launch())
        bench.backend().submit(bench.launch())
        assert len(bench.sent("POST", "/run")) == 1

    def test_a_lost_answer_is_looked_into_and_the_job_adopted(self, bench: Bench) -> None:
        def lose(request: httpx.Request) -> httpx.Response | None:
            if request.url.path.endswith("/run"):
                bench.jobmanager.transport.handle_request(request)
                raise httpx.ReadTimeout("timed out")
            return None

        bench.instead = lose
        assert bench.backend().submit(bench.launch()).job_id == JOB_ID
        assert len(bench.sent("POST", "/run")) == 1

    def test_a_gateways_502_means_look_not_again(self, bench: Bench) -> None:
        bench.instead = failing("/run", httpx.Response(502, text="<html>Bad Gateway</html>"))
        assert bench.backend().submit(bench.launch()).job_id == JOB_ID
        assert len(bench.jobmanager.jobs) == 1

    def test_what_never_becomes_clear_stays_in_doubt(self, bench: Bench) -> None:
        bench.instead = failing("/run", *[httpx.ReadTimeout("timed out")] * 9)
        with pytest.raises(InDoubt, match="Run the same action again"):
            bench.backend().submit(bench.launch())

    @pytest.mark.parametrize(
        ("behaviour", "cause"),
        [
            (Behaviour.MISSING_CLASS, "ClassNotFoundException"),
            (Behaviour.THROWS_IN_MAIN, "this release throws in its main"),
        ],
    )
    def test_a_refused_submit_is_never_sent_again(
        self, bench: Bench, behaviour: Behaviour, cause: str
    ) -> None:
        """A missing class is answered with 500: no passing fault."""
        with pytest.raises(LaunchRefused, match=cause):
            bench.backend().submit(bench.launch(behaviour))
        assert len(bench.sent("POST", "/run")) == 1

    def test_a_missing_savepoint_is_told(self, bench: Bench) -> None:
        with pytest.raises(LaunchRefused, match="FileNotFoundException"):
            bench.backend().submit(bench.launch(restore_from="file:/nowhere"))

    def test_a_spent_id_whose_job_is_forgotten_is_no_success(self, bench: Bench) -> None:
        refusal = errors(400, "Could not run", "Caused by: DuplicateJobSubmissionException: x")
        bench.instead = failing("/run", refusal)
        with pytest.raises(LaunchRefused, match="was started before"):
            bench.backend().submit(bench.launch(requested_before=True, was_observed=True))

    def test_a_taken_id_that_nobody_saw_is_in_doubt(self, bench: Bench) -> None:
        """The job may still be on its way into Flink: one in its place would run beside it."""
        refusal = errors(400, "Could not run", "Caused by: DuplicateJobSubmissionException: x")
        bench.instead = failing("/run", refusal)
        began = bench.clock.seconds
        with pytest.raises(InDoubt, match="refuses its id as taken"):
            bench.backend().submit(bench.launch(requested_before=True))
        assert bench.clock.seconds - began > 25

    def test_a_taken_id_whose_job_shows_after_a_while_is_adopted(self, bench: Bench) -> None:
        bench.backend().submit(bench.launch())
        bench.instead = failing(JOB_ID, *[unknown_job()] * 12)
        assert bench.backend().submit(bench.launch(requested_before=True)).job_id == JOB_ID

    def test_a_lookup_that_fails_never_means_start_another(self, bench: Bench) -> None:
        bench.instead = failing(JOB_ID, *[errors(500, "java.lang.Exception: busy")] * 99)
        with pytest.raises(ServiceUnavailable):
            bench.backend().submit(bench.launch())
        assert bench.sent("POST", "/run") == []

    def test_missing_rights_are_not_the_jobs_fault(self, bench: Bench) -> None:
        bench.instead = failing("/run", errors(403, "Forbidden"))
        with pytest.raises(PermissionDenied):
            bench.backend().submit(bench.launch())

    def test_an_upload_whose_answer_was_lost_is_found_again(self, bench: Bench) -> None:
        def lose(request: httpx.Request) -> httpx.Response | None:
            if request.url.path.endswith("/upload"):
                bench.jobmanager.transport.handle_request(request)
                raise KeyboardInterrupt
            return None

        bench.instead = lose
        with pytest.raises(KeyboardInterrupt):
            bench.backend().submit(bench.launch())
        bench.instead = lambda request: None
        bench.backend().submit(bench.launch())
        assert len(bench.jobmanager.jars) == 1

    def test_a_jar_that_changed_under_its_address_is_not_run(self, bench: Bench) -> None:
        launch = bench.launch()
        Path(launch.spec.jar.uri).write_text(Behaviour.OTHER_GOOD)
        with pytest.raises(NotFound, match="was requested"):
            bench.backend().submit(launch)
        assert not bench.backend().has_jar(launch.spec)


class TestView:
    def test_unknown_means_none_only_when_flink_says_so(self, bench: Bench) -> None:
        """The job's own page answers 404; its status page, which answers 500, is not asked."""
        assert bench.backend().view(JOB_ID) is None
        assert bench.sent("GET", "/status") == []

    def test_a_passing_fault_is_waited_out(self, bench: Bench) -> None:
        bench.running()
        bench.instead = failing(JOB_ID, httpx.ConnectError("refused"), errors(503, "no leader"))
        view = bench.backend().view(JOB_ID)
        assert view
        assert view.is_running_for_real

    def test_running_before_its_tasks_run_is_told_apart(self, bench: Bench) -> None:
        view = bench.backend().submit(bench.launch())
        assert (view.state, view.is_running_for_real) == ("RUNNING", False)

    def test_a_failed_restore_shows_its_last_cause(self, tmp_path: Path) -> None:
        for version in ("1.17", "2.3"):
            bench = Bench(tmp_path, version=version)
            bench.jobmanager.stored["file:/s"] = (7, 0.0)
            launch = bench.launch(Behaviour.INCOMPATIBLE_STATE, restore_from="file:/s")
            bench.backend().submit(launch)
            bench.clock.sleep(2)
            view = bench.backend().view(JOB_ID)
            assert view
            assert (view.state, view.exception) == (
                "FAILED",
                "StateMigrationException: new serializer",
            )

    def test_a_discarded_or_unaddressable_checkpoint_is_no_state(self, bench: Bench) -> None:
        bench.running()
        before = bench.backend().view(JOB_ID)
        bench.backend().stop_with_savepoint(ASK)
        after = bench.backend().view(JOB_ID)
        assert before
        assert after
        assert before.checkpoint_path
        assert after.checkpoint_path is None

    def test_a_job_without_checkpoints_is_no_error(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, checkpoint_every_seconds=0)
        bench.running()
        bench.instead = failing("/checkpoints", errors(404, "not enabled"))
        view = bench.backend().view(JOB_ID)
        assert view
        assert not view.checkpointing

"""Every measured quirk of the JobManager's REST API, met by the backend's primitives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from flinkglue.clock import Pace
from flinkglue.errors import InDoubt, NotFound, PermissionDenied, ServiceUnavailable
from flinkglue.flink.backend import RestBackend
from flinkglue.flink.jars import JarSource
from flinkglue.flink.lifecycle_rest import FlinkLifecycleClient
from flinkglue.flink.patience import Patience
from flinkglue.flink.state_storage import StateStorage
from flinkglue.lifecycle.backend import Launch, LaunchRefused, SavepointFailed, SavepointRequest
from flinkglue.lifecycle.models import Jar, JobSpec
from tests.unit.fake_flink_jobs import Behaviour, Clock, Job
from tests.unit.fake_jobmanager import FakeJobManager

JOB_ID, TRIGGER_ID = "1" * 32, "a" * 32
ASK = SavepointRequest(JOB_ID, TRIGGER_ID)
Answer = Callable[[httpx.Request], httpx.Response | None]


class Bench:
    """A backend on a pretended JobManager; a test may answer some requests itself."""

    def __init__(self, directory: Path, **jobmanager: object) -> None:
        self.clock = Clock()
        self.jobmanager = FakeJobManager(self.clock, **jobmanager)  # type: ignore[arg-type]
        self.directory = directory
        self.instead: Answer = lambda request: None
        self.storage: StateStorage | None = StateStorage({"file": self.jobmanager.files})

    def backend(self) -> RestBackend:
        client = FlinkLifecycleClient(
            "http://flink.test", verify=False, transport=httpx.MockTransport(self._send)
        )
        steady = Pace(first_seconds=1, most_seconds=2, jitter=0)
        patience = Patience(30, 60, steady, self.clock)
        return RestBackend(client, JarSource(), storage=self.storage, patience=patience)

    def _send(self, request: httpx.Request) -> httpx.Response:
        own = self.instead(request)
        return own if own is not None else self.jobmanager.transport.handle_request(request)

    def launch(self, behaviour: Behaviour = Behaviour.GOOD, **launch: object) -> Launch:
        path = self.directory / f"{behaviour.name}.jar"
        path.write_text(behaviour)
        jar = Jar(str(path), hashlib.sha256(behaviour.encode()).hexdigest())
        spec = JobSpec("orders", jar, "Count", ("--a", "b c"), parallelism=2)
        return Launch(spec, JOB_ID, **launch)  # type: ignore[arg-type]

    def running(self) -> Job:
        self.backend().submit(self.launch())
        self.clock.sleep(10)
        return self.jobmanager.jobs[JOB_ID]

    def sent(self, method: str, ending: str) -> list[httpx.Request]:
        return [
            request
            for request in self.jobmanager.requests
            if request.method == method and request.url.path.endswith(ending)
        ]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def failing(ending: str, *answers: httpx.Response | Exception) -> Answer:
    """Answers the first requests to a path like this; later ones pass."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith(ending) or not left:
            return None
        first = left.pop(0)
        if isinstance(first, Exception):
            raise first
        return first

    return answer


def errors(status: int, *stack: str) -> httpx.Response:
    return httpx.Response(status, json={"errors": ["\n".join(stack)]})


class TestSubmit:
    @pytest.mark.parametrize("version", ["1.17", "2.3"])
    def test_the_body_is_what_every_version_takes(self, tmp_path: Path, version: str) -> None:
        """1.17 answers 400 to unknown fields, 2.x ignores programArgs: neither is sent."""
        bench = Bench(tmp_path, version=version)
        bench.jobmanager.stored["file:/state/savepoints/savepoint-000000-1"] = (7, 0.0)
        restore_from = "file:/state/savepoints/savepoint-000000-1"
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
        bench.instead = failing(JOB_ID, errors(404, "FlinkJobNotFoundException"))
        second = bench.backend().submit(bench.launch())
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
            bench.backend().submit(bench.launch())

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
        with pytest.raises(NotFound, match="was asked for"):
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


class TestStop:
    def test_it_ends_with_a_path_and_finished(self, bench: Bench) -> None:
        job = bench.running()
        path = bench.backend().stop_with_savepoint(ASK)
        assert path in bench.jobmanager.stored
        assert job.state == "FINISHED"
        (sent,) = bench.sent("POST", "/stop")
        assert json.loads(sent.content) == {"triggerId": TRIGGER_ID, "drain": False}

    def test_the_directory_is_spelled_as_each_endpoint_wants_it(self, bench: Bench) -> None:
        bench.running()
        request = SavepointRequest(JOB_ID, TRIGGER_ID, directory="file:/own")
        bench.backend().savepoint(request)
        bench.backend().stop_with_savepoint(SavepointRequest(JOB_ID, "b" * 32, None, "file:/own"))
        (savepoint,), (stop,) = bench.sent("POST", "/savepoints"), bench.sent("POST", "/stop")
        assert json.loads(savepoint.content)["target-directory"] == "file:/own"
        assert json.loads(stop.content)["targetDirectory"] == "file:/own"

    def test_completed_with_a_failure_cause_is_a_failure(self, bench: Bench) -> None:
        job = bench.running()
        bench.jobmanager.unwritable = True
        with pytest.raises(SavepointFailed, match="Permission denied") as failed:
            bench.backend().stop_with_savepoint(ASK)
        assert failed.value.path is None
        assert job.state == "RUNNING"

    def test_a_stop_that_failed_after_a_good_savepoint_keeps_the_path(self, bench: Bench) -> None:
        bench.running()
        bench.jobmanager.stop_fails_after_savepoint = True
        with pytest.raises(SavepointFailed) as failed:
            bench.backend().stop_with_savepoint(ASK)
        assert failed.value.path in bench.jobmanager.stored

    def test_an_expired_result_is_read_from_the_checkpoints(self, bench: Bench) -> None:
        bench.running()
        path = bench.backend().stop_with_savepoint(ASK)
        bench.clock.sleep(301)
        assert bench.backend().stop_with_savepoint(ASK) == path
        assert len(bench.sent("POST", "/stop")) == 1

    def test_a_result_lost_with_the_jobmanager_is_found_in_the_directory(
        self, bench: Bench
    ) -> None:
        bench.running()
        path = bench.backend().stop_with_savepoint(ASK)
        bench.jobmanager.kill()
        assert bench.backend().stop_with_savepoint(ASK) == path
        bench.storage = None
        with pytest.raises(SavepointFailed, match="no longer knows"):
            bench.backend().stop_with_savepoint(ASK)

    def test_an_older_savepoint_is_not_taken_for_the_new_one(self, bench: Bench) -> None:
        job = bench.running()
        earlier = bench.backend().savepoint(SavepointRequest(JOB_ID, "b" * 32))
        bench.backend().cancel(JOB_ID)
        with pytest.raises(SavepointFailed, match="ended as CANCELED"):
            bench.backend().stop_with_savepoint(SavepointRequest(JOB_ID, TRIGGER_ID, earlier))
        assert job.savepoint == earlier

    def test_no_directory_is_told_with_what_to_do(self, bench: Bench) -> None:
        bench.running()
        bench.instead = failing(
            "/stop", errors(400, "Config key [state.savepoints.dir] is not set")
        )
        with pytest.raises(SavepointFailed, match="Name a savepoint directory"):
            bench.backend().stop_with_savepoint(ASK)

    def test_the_same_trigger_twice_takes_one_savepoint(self, bench: Bench) -> None:
        bench.running()
        assert bench.backend().savepoint(ASK) == bench.backend().savepoint(ASK)
        assert len([path for path in bench.jobmanager.stored if "savepoint-" in path]) == 1

    def test_a_savepoint_of_an_unknown_job_is_refused_although_flink_takes_it(
        self, bench: Bench
    ) -> None:
        with pytest.raises(SavepointFailed, match="no longer knows"):
            bench.backend().savepoint(ASK)


class TestTheRest:
    def test_cancelling_what_has_ended_or_is_unknown_is_fine(self, bench: Bench) -> None:
        assert bench.backend().cancel(JOB_ID) is None
        job = bench.running()
        bench.backend().stop_with_savepoint(ASK)
        ended = bench.backend().cancel(JOB_ID)
        assert ended
        assert ended.state == job.state == "FINISHED"

    def test_disposing_twice_is_fine(self, bench: Bench) -> None:
        """Flink calls the second one a failure: the file is gone."""
        bench.running()
        path = bench.backend().savepoint(ASK)
        bench.backend().dispose_savepoint(path)
        bench.backend().dispose_savepoint(path)
        assert path not in bench.jobmanager.stored

    @pytest.mark.parametrize("version", ["1.17", "2.3"])
    def test_the_directories_are_found_under_both_their_names(
        self, tmp_path: Path, version: str
    ) -> None:
        bench = Bench(tmp_path, version=version)
        bench.running()
        path = bench.backend().savepoint(ASK)
        (stored,) = bench.backend().stored_savepoints("orders", frozenset({JOB_ID}))
        assert (stored.path, stored.size_bytes, stored.origin) == (path, 100, "directory")
        assert bench.backend().stored_savepoints("orders", frozenset({"2" * 32})) == []
        newest = bench.backend().newest_checkpoint(JOB_ID)
        assert newest == bench.jobmanager.jobs[JOB_ID].checkpoints[-1][1]

    def test_only_this_jobs_jars_are_cleared_away(self, bench: Bench) -> None:
        backend = bench.backend()
        good, other = bench.launch(), bench.launch(Behaviour.OTHER_GOOD)
        for launch in (good, other):
            backend.check_jar(launch.spec)
        bench.jobmanager.jars["00000099_theirs.jar"] = ("theirs.jar", "good")
        backend.keep_jars("orders", frozenset({good.spec.jar.sha256}))
        contents = [content for _, content in bench.jobmanager.jars.values()]
        assert sorted(contents) == ["good", "good"]

    def test_a_plan_whose_answer_was_lost_is_made_again(self, bench: Bench) -> None:
        bench.instead = failing("/plan", httpx.ReadTimeout("timed out"))
        bench.backend().check_jar(bench.launch().spec)

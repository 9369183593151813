"""Stops, savepoints and what is left behind: every measured quirk, met by the backend."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from flinkglue.lifecycle.backend import CannotList, SavepointFailed, SavepointRequest
from tests.unit.flink.rest_bench import ASK, JOB_ID, TRIGGER_ID, Bench, errors, failing
from tests.unit.lifecycle.fake_flink_jobs import Behaviour


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class TestStop:
    def test_it_ends_with_a_path_and_finished(self, bench: Bench) -> None:
        job = bench.running()
        path = bench.backend().stop_with_savepoint(ASK)
        assert path in bench.jobmanager.stored
        assert job.state == "FINISHED"
        (sent,) = bench.sent("POST", "/stop")
        asked = {"triggerId": TRIGGER_ID, "drain": False, "formatType": "CANONICAL"}
        assert json.loads(sent.content) == asked

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
        with pytest.raises(
            SavepointFailed, match=r"no longer knows .* not known: file:.* cannot be listed"
        ) as failure:
            bench.backend().stop_with_savepoint(ASK)
        assert failure.value.path is None

    def test_an_older_savepoint_is_not_taken_for_the_new_one(self, bench: Bench) -> None:
        job = bench.running()
        earlier = bench.backend().savepoint(SavepointRequest(JOB_ID, "b" * 32))
        bench.backend().cancel(JOB_ID)
        with pytest.raises(SavepointFailed, match="ended as CANCELED"):
            bench.backend().stop_with_savepoint(SavepointRequest(JOB_ID, TRIGGER_ID, earlier))
        assert job.savepoint == earlier

    @pytest.mark.parametrize(
        "spelled", ["file:///the state/", "/the%20state/", "file:/the state//"]
    )
    def test_nor_is_it_by_another_spelling(self, bench: Bench, spelled: str) -> None:
        """As the block spelled the directory, and not as the cluster does."""
        bench.running()
        earlier = bench.backend().savepoint(SavepointRequest(JOB_ID, "b" * 32))
        asked = SavepointRequest(JOB_ID, TRIGGER_ID, earlier.replace("file:/the state/", spelled))
        bench.backend().cancel(JOB_ID)
        with pytest.raises(SavepointFailed, match="ended as CANCELED"):
            bench.backend().stop_with_savepoint(asked)

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
        found = bench.backend().stored_savepoints("orders", frozenset({JOB_ID}))
        (stored,) = found.savepoints
        assert (stored.path, stored.size_bytes, stored.origin) == (path, 100, "directory")
        assert (found.listed, found.not_listed) == (("file:/the state/savepoints",), ())
        stranger = bench.backend().stored_savepoints("orders", frozenset({"2" * 32}))
        assert stranger.savepoints == ()
        newest = bench.backend().newest_checkpoint(JOB_ID, settings={}, observed_path=None)
        assert newest
        assert newest.path == bench.jobmanager.jobs[JOB_ID].checkpoints[-1][1]

    def test_the_directory_that_the_block_names_is_looked_into_as_well(self, bench: Bench) -> None:
        bench.running()
        in_clusters = bench.backend().savepoint(ASK)
        bench.clock.sleep(1)
        own = SavepointRequest(JOB_ID, "b" * 32, in_clusters, "file:/own")
        in_own = bench.backend().savepoint(own)
        backend = bench.backend(savepoint_directory="file:/own")
        found = backend.stored_savepoints("orders", frozenset({JOB_ID}))
        assert [savepoint.path for savepoint in found.savepoints] == [in_own, in_clusters]

    def test_a_directory_that_both_name_is_looked_into_once(self, bench: Bench) -> None:
        bench.running()
        path = bench.backend().savepoint(ASK)
        backend = bench.backend(savepoint_directory="file:/the state/savepoints/")
        found = backend.stored_savepoints("orders", frozenset({JOB_ID}))
        assert [savepoint.path for savepoint in found.savepoints] == [path]
        assert len(found.listed) == 1

    def test_a_directory_of_a_kind_that_nobody_here_can_list_is_told_as_that(
        self, bench: Bench
    ) -> None:
        """The other one is listed all the same; an unknown checkpoint directory is no empty one."""
        bench.running()
        path = bench.backend().savepoint(ASK)
        backend = bench.backend(savepoint_directory="s3://bucket/own")
        found = backend.stored_savepoints("orders", frozenset({JOB_ID}))
        assert [savepoint.path for savepoint in found.savepoints] == [path]
        (reason,) = found.not_listed
        assert "s3://bucket/own cannot be listed from here" in reason
        bench.storage = None
        with pytest.raises(CannotList, match=r"which reads no storage at all.*credentials"):
            bench.backend().newest_checkpoint(JOB_ID, settings={}, observed_path=None)

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
        bench.instead = failing("/plan", httpx.ReadError("connection reset"))
        bench.backend().check_jar(bench.launch().spec)

"""A main() that takes longer than somebody waits: it goes on in Flink, and is not run again."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.errors import InDoubt
from flinkglue.flink.api.failures import MainTimedOut
from tests.gateways import GATEWAYS
from tests.unit.flink.rest_bench import JOB_ID, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.jobmanager.main_seconds = 200
    bench.main_seconds = 600
    return bench


def test_it_may_take_its_time(bench: Bench) -> None:
    """Longer than other calls; it runs once for the plan and once for the launch."""
    backend, launch = bench.backend(), bench.launch()
    backend.check_jar(launch.spec)
    assert backend.submit(launch).job_id == JOB_ID
    assert bench.jobmanager.mains == 2


def test_a_plan_that_is_not_wanted_is_not_made(bench: Bench) -> None:
    backend, launch = bench.backend(check_plan=False), bench.launch()
    backend.check_jar(launch.spec)
    assert bench.jobmanager.mains == 0
    assert len(bench.jobmanager.jars) == 1
    backend.submit(launch)
    assert bench.jobmanager.mains == 1


def test_a_plan_that_takes_too_long_is_not_made_again(bench: Bench) -> None:
    bench.main_seconds = 100
    with pytest.raises(MainTimedOut, match=r"main_seconds .* now 100.*check_plan off"):
        bench.backend().check_jar(bench.launch().spec)
    assert bench.jobmanager.mains == 1


@pytest.mark.parametrize("status", [408, 504, 524])
def test_nor_when_a_gateway_waits_no_longer(bench: Bench, status: int) -> None:
    planned = []

    def answer(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/plan"):
            return None
        planned.append(request)
        return GATEWAYS["nginx"](status)

    bench.instead = answer
    with pytest.raises(MainTimedOut, match="nginx"):
        bench.backend().check_jar(bench.launch().spec)
    assert len(planned) == 1


def test_a_launch_that_times_out_is_followed_by_its_job_id(bench: Bench) -> None:
    """main() submits the job two minutes after nobody waits any more."""
    bench.jobmanager.main_seconds, bench.main_seconds = 120, 100
    assert bench.backend().submit(bench.launch()).job_id == JOB_ID
    assert bench.jobmanager.mains == 1


def test_so_is_one_that_a_gateway_gives_up(bench: Bench) -> None:
    """A proxy waits for 60 s unless it is told otherwise; the block says how long main() takes."""

    def give_up(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/run"):
            return None
        bench.jobmanager.later(300, lambda: bench.jobmanager.transport.handle_request(request))
        bench.jobmanager.main_seconds = 0
        return GATEWAYS["nginx"](504)

    bench.instead = give_up
    assert bench.backend().submit(bench.launch()).job_id == JOB_ID
    assert bench.jobmanager.mains == 1


def test_one_that_never_comes_is_in_doubt_and_was_sent_once(bench: Bench) -> None:
    bench.jobmanager.main_seconds, bench.main_seconds = 10_000, 100
    began = bench.clock.seconds
    with pytest.raises(InDoubt, match="searches for this job id first"):
        bench.backend().submit(bench.launch())
    assert bench.jobmanager.mains == 1
    assert bench.clock.seconds - began < 200


def test_one_that_an_earlier_process_sent_is_waited_for(bench: Bench) -> None:
    """That process died while main() ran: sent again at once, main() would run twice."""
    bench.jobmanager.main_seconds, bench.main_seconds = 120, 100
    launch = bench.launch(requested_before=True, sent_ago_seconds=90)
    bench.jobmanager.later(8, lambda: bench.backend().submit(bench.launch()))
    bench.jobmanager.main_seconds = 0
    assert bench.backend().submit(launch).job_id == JOB_ID
    assert bench.jobmanager.mains == 1


def test_it_is_sent_again_when_its_main_has_had_its_time(bench: Bench) -> None:
    bench.jobmanager.main_seconds, bench.main_seconds = 0, 100
    began = bench.clock.seconds
    launch = bench.launch(requested_before=True, sent_ago_seconds=90)
    assert bench.backend().submit(launch).job_id == JOB_ID
    assert (bench.jobmanager.mains, bench.clock.seconds - began > 8) == (1, True)


def test_a_launch_whose_process_died_is_sent_again_after_a_short_look(bench: Bench) -> None:
    """Its request may never have arrived; Flink takes the job id once."""
    launch = bench.launch(requested_before=True, sent_ago_seconds=20)
    began_at = bench.clock.seconds
    assert bench.backend().submit(launch).job_id == launch.job_id
    assert bench.jobmanager.mains == 1
    assert bench.clock.seconds - began_at > 5


def test_the_block_says_how_long_and_whether_a_plan_is_made() -> None:
    cluster = FlinkRestCluster(url="http://localhost:8081", main_seconds=900, check_plan=False)
    with cluster.get_client() as client:
        assert client.main_seconds == 900
    assert cluster.launch_seconds == 900
    assert FlinkRestCluster(url="http://localhost:8081").main_seconds == 600

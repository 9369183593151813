"""How many calls a Glue flow run makes that meets no trouble, to AWS and to the Prefect server."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from starlette.responses import Response

from flows.glue_vpc_failover import glue_vpc_failover
from localcloud.aws.glue.settings import GlueSettings
from localcloud.web.proxy import recording_proxy
from localcloud.web.serving import AsgiServer
from localcloud.web.wire import Wire
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.glue_deaths import glue_flow_process

ENDS_WITHIN_SECONDS = 120.0
JOB = "counted-calls"  # of no other test: its row on the page of all jobs is created here
AWS = {
    "GetJob": 2,  # to choose, and under the lock, where nothing else may have been written
    "GetConnection": 2,  # by name; a worker reads them once a minute for all its flow runs
    "DescribeSubnets": 1,
    "UpdateJob": 1,
    "StartJobRun": 1,
    "GetJobRuns": 2,  # for slots, and a poll or one more, which ends the claim
    "GetLogEvents": 4,  # output and errors; a log ends where the token comes back that was given
}
SERVER = {
    "GET /block_types/slug/aws-credentials/block_documents/name/aws": 1,
    "GET /flow_runs/ID": 2,  # Prefect's own
    "POST /variables/filter": 3,  # one for the page of all jobs
    "POST /variables/": 5,  # two locks, a reservation, a start, the job's row on that page
    "PATCH /variables/ID": 1,  # the reservation, before the start
    "DELETE /variables/ID": 4,
    "GET /variables/name/NAME": 2,
    "POST /artifacts/": 3,  # the choice, the run, all jobs
    "PATCH /flow_runs/ID": 3,  # two by Prefect, its name when the connection is known
}


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK, run_seconds=0.5))
    running.two_connections()
    running.job(JOB, script="print('done')")
    save_aws_block(running)
    yield running
    running.close()


@pytest.mark.usefixtures("processes_of_this_server")
def test_a_flow_run_reads_nothing_twice_where_nothing_is_in_doubt(
    cloud: AwsCloud, tmp_path: Path
) -> None:
    """Its first attempt looks for no earlier one; the job tells once where logs lie."""
    log, calls = tmp_path / "process.log", Wire()
    log.touch()
    server_url, _, path = PREFECT_API_URL.value().partition("/api")
    proxy = recording_proxy(
        server_url,
        calls,
        "prefect",
        lambda scope: f"{scope['method']} {scope['path'].removeprefix('/api')}",
        lambda fault, scope: Response(status_code=fault.status),
    )
    server = AsgiServer(proxy)
    with get_client(sync_client=True) as client:
        parameters = {"job_name": JOB, "connection_names": "b,a", "strategy": "preferred"}
        flow_run = client.create_flow_run(glue_vpc_failover, parameters=parameters)
    server.start()
    try:
        before = Counter(each.operation for each in cloud.requests())
        process = glue_flow_process.started(flow_run.id, log, f"{server.url}/api{path}")
        process.join(ENDS_WITHIN_SECONDS)
    finally:
        server.stop()
    assert process.exitcode == 0, log.read_text()
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(flow_run.id).state_name == "Completed"

    to_aws = Counter(each.operation for each in cloud.requests()) - before
    polls = to_aws.pop("GetJobRun")
    assert polls <= 4
    assert to_aws == AWS
    to_server = Counter(
        without_names(each.operation)
        for each in calls.requests.find()
        if each.status < 500  # a call that SQLite was too busy for is made again
    )
    assert {call: to_server[call] for call in SERVER} == SERVER
    assert not [call for call in to_server if call.endswith("/block_documents")]


def without_names(operation: str) -> str:
    """Ids and the names of Variables differ from run to run."""
    operation = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", "ID", operation)
    return re.sub(r"/variables/name/.*", "/variables/name/NAME", operation)

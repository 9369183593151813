"""Runs the two published systems on an embedded local cloud, through Prefect deployments.

Starts a real Flink cluster, the emulators of Azure and AWS, a Prefect server and a worker; deploys
the flows; runs the Flink word count and the Glue job; then fills a subnet and runs the latter again
to show how it moves to the other one. Everything listens on loopback only and ends with Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from localcloud.client import CloudNotRunning, CloudRefused, LocalCloud
from localcloud.config import free_port_or
from localcloud.state import StateDir
from scripts.demo_checks import DemoFailed, driver_in_first_subnet, words_counted_by_flink
from scripts.demo_summary import bold, summary
from scripts.prefect_stack import REPOSITORY, PrefectStack, StackFailed

GLUE_JOB = "AirflowBlogJob"
CONNECTIONS = "MWAA-Glue-Blog-Subnet1,MWAA-Glue-Blog-Subnet2"
PREFECT_PORT = 4210
"""Not 4200, which a server of the person's own takes."""
WORD_COUNT_JAR = "jobs/flink/WordCount.jar"


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    for ending in (signal.SIGTERM, signal.SIGHUP):  # leave through the exit stack
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts deaf to it
    try:
        with ExitStack() as running:
            cloud, prefect = start(options, running)
            running.callback(prefect.stop_worker)  # before the cloud that its runs use
            prepare(cloud, prefect)
            pages = [
                run_word_count(cloud, prefect),
                *run_glue_jobs(cloud, prefect),
            ]
            print(summary(cloud, prefect, pages))
            if not options.once:
                stay_up()
    except (DemoFailed, StackFailed, CloudNotRunning, CloudRefused) as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
        print(f"Logs: {options.state_dir}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130 if options.once else 0
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument(
        "--once",
        action="store_true",
        help="end after the runs; exit 0 only when their results were checked",
    )
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=REPOSITORY / ".localcloud",
        help="where databases, logs and blobs go (default: .localcloud in the checkout)",
    )
    parser.add_argument(
        "--prefect-port",
        type=int,
        help=f"port of the Prefect UI (default: {PREFECT_PORT} where it is free)",
    )
    options = parser.parse_args(arguments)
    options.state_dir = options.state_dir.resolve()
    return options


@contextmanager
def step(title: str) -> Iterator[None]:
    """Shows what is being done and how long it took."""
    print(f"{bold('==>')} {title}", flush=True)
    started = time.monotonic()
    yield
    print(f"    {time.monotonic() - started:.0f} s", flush=True)


def start(options: argparse.Namespace, running: ExitStack) -> tuple[LocalCloud, PrefectStack]:
    """Starts the local cloud and the Prefect server side by side."""
    StateDir(options.state_dir).make()
    port = free_port_or(PREFECT_PORT) if options.prefect_port is None else options.prefect_port
    prefect = PrefectStack(options.state_dir / "prefect", port)
    running.callback(prefect.stop)
    with step("Starting the local cloud and a Prefect server"), ThreadPoolExecutor() as pool:
        server = pool.submit(prefect.start_server)
        cloud = running.enter_context(LocalCloud.up(state_dir=options.state_dir))
        server.result()
    return cloud, prefect


def prepare(cloud: LocalCloud, prefect: PrefectStack) -> None:
    """What a person does once: blocks, the sample resources, deployments, a worker."""
    with (
        step("Registering blocks, setting up the sample Glue job, deploying the flows"),
        ThreadPoolExecutor() as pool,
    ):
        sample = pool.submit(set_up_glue_sample, cloud, prefect)
        print(
            indented(
                prefect.run_python("-m", "infra.setup", "up", "--overwrite"), only="deployment"
            )
        )
        prefect.start_worker()
        save_blocks(cloud, prefect)
        sample.result()
    # Long enough to be seen; a real run takes a minute to start.
    cloud.glue_timing(start_delay_seconds=1, run_seconds=3)


def save_blocks(cloud: LocalCloud, prefect: PrefectStack) -> None:
    """The block types, and blocks with the local cloud's values."""
    prefect.run_python("-m", "infra.blocks", "local", str(cloud.state.path / "cloud.json"))


def set_up_glue_sample(cloud: LocalCloud, prefect: PrefectStack) -> None:
    """VPC, subnets, connections, IAM role, script and job, as in any account."""
    aws = cloud.aws
    prefect.run_python(
        "-m", "infra.glue_sample", "up",
        "--endpoint-url", aws["endpoint_url"], "--region", aws["region"],
        AWS_ACCESS_KEY_ID=aws["access_key_id"],
        AWS_SECRET_ACCESS_KEY=aws["secret_access_key"],
    )  # fmt: skip


def run_word_count(cloud: LocalCloud, prefect: PrefectStack) -> tuple[str, str]:
    """System 1: upload the jar, then submit it with the published parameters."""
    azure = cloud.azure
    with step("Uploading WordCount.jar to the storage account (deployment flink-jar-upload)"):
        run_flow(
            prefect,
            "flink-jar-upload/flink-jar-upload",
            {"jar_path": WORD_COUNT_JAR, "jar_directory": azure["jar_directory"]},
        )
    published = {
        "jarName": "WordCount.jar",
        "jarDirectory": azure["jar_directory"],
        "subscription": azure["subscription_id"],
        "rg": azure["resource_group"],
        "poolNm": azure["cluster_pool_name"],
        "clusterNm": azure["cluster_name"],
    }
    with step(f"Running flink-word-count with {json.dumps(published)}"):
        flow_run_id = run_flow(prefect, "flink-word-count/flink-word-count", published)
        print(f"    {words_counted_by_flink(cloud, prefect, flow_run_id)}")
    return "Flink word count", prefect.page(flow_run_id)


def run_glue_jobs(cloud: LocalCloud, prefect: PrefectStack) -> Iterator[tuple[str, str]]:
    """System 3: once with both subnets free, once with the favourite one full."""
    parameters = {
        "job_name": GLUE_JOB,
        "connection_names": CONNECTIONS,
        "strategy": "capacity",
        "retry_options": {"retry_delay_seconds": 5},
    }
    with step("Running glue-job, both subnets free"):
        flow_run_id = run_flow(prefect, "glue-job/glue-job", parameters)
        first = driver_in_first_subnet(cloud, prefect, flow_run_id)
        print(f"    {first}")
    yield "Glue job, both subnets free", prefect.page(flow_run_id)
    with step(
        f"Filling {first.connection_name}'s subnet {first.subnet_id}, running glue-job again"
    ):
        cloud.fill(first.subnet_id)
        flow_run_id = run_flow(prefect, "glue-job/glue-job", parameters)
        second = driver_in_first_subnet(cloud, prefect, flow_run_id)
        cloud.drain(first.subnet_id)
        print(f"    {second}")
    if second.subnet_id == first.subnet_id:
        raise DemoFailed(f"The second run stayed in the full subnet {first.subnet_id}")
    yield "Glue job, one subnet full", prefect.page(flow_run_id)


def run_flow(prefect: PrefectStack, deployment: str, parameters: dict[str, Any]) -> str:
    """Runs a deployment to its end and returns the flow run's id."""
    flow_run_id = prefect.run_deployment(deployment, parameters)
    print(f"    {prefect.page(flow_run_id)}", flush=True)
    run = prefect.wait_for(flow_run_id)
    if run["state_type"] != "COMPLETED":
        lines = "\n".join(prefect.whole_log(flow_run_id)[-30:])
        raise DemoFailed(f"{deployment} ended as {run['state_name']}:\n{lines}")
    return flow_run_id


def stay_up() -> None:
    print("\nEverything stays up until you press Ctrl-C.", flush=True)
    threading.Event().wait()


def indented(text: str, only: str) -> str:
    return "\n".join(f"    {line.strip()}" for line in text.splitlines() if only in line)


if __name__ == "__main__":
    sys.exit(main())

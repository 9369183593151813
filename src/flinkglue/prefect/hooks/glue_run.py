"""What happens to Glue runs whose flow run is cancelled or crashes, or whose deadline passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import PrefectException
from prefect.flows import Flow
from prefect.logging.loggers import flow_run_logger

from flinkglue.clock import SystemClock
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobPlace, JobRun
from flinkglue.glue.run.connection_order import OrderRestoring
from flinkglue.glue.run.outcome import attempts_of
from flinkglue.glue.run.stop import stop_live_runs, with_those_that_ended_before
from flinkglue.glue.run_request import Log, RunRequest
from flinkglue.prefect.forms.form_flow import FormFlow
from flinkglue.prefect.hooks.settling import Ended, Hook, Parameters, settling_hook
from flinkglue.prefect.pages.glue_run import show_cancelled
from flinkglue.prefect.pages.jobs.glue import Place, refresh_glue_jobs
from flinkglue.prefect.retries import first_started_at
from flinkglue.prefect.run_log import HarmlessLog
from flinkglue.prefect.store.glue_coordination import coordination_on_server

STOP_WITHIN_SECONDS = 600.0


def stop_and_restore(client: GlueClient, request: RunRequest, log: Log) -> list[JobRun]:
    """Stop the flow run's live Glue runs, wait until they have ended, put the order back.

    Returns:
        The runs that were live, as they were observed last.
    """
    with coordination_on_server() as coordination:
        context = RunContext(client, log, coordination)
        stopped = stop_live_runs(context, request, STOP_WITHIN_SECONDS)
        OrderRestoring(context, request).end()
    return stopped


def stop_when_cancelled(
    client_and_place: Callable[[Parameters], tuple[GlueClient, JobPlace]],
) -> Hook:
    """A hook that stops what the flow run left running in Glue, and waits until it has stopped.

    Prefect goes on whatever happens here, so what cannot be stopped is an error in the log.
    """

    def settle(ended: Ended) -> None:
        given, flow_run, log = ended.parameters, ended.flow_run, ended.log
        client, place = client_and_place(given)
        request = RunRequest(
            given["job_name"],
            str(flow_run.id),
            first_started_at(flow_run),
            secret_arguments=given["secret_arguments"] or {},
            restore_order=given["advanced_options"].restore_order,
            allow_lost_settings=given["advanced_options"].allow_lost_settings,
            place=place,
        )
        client = client.masked_for(request)
        stopped = stop_and_restore(client, request, log)
        runs = with_those_that_ended_before(RunContext(client, log), request, stopped)
        try:
            now = SystemClock().now()
            show_cancelled(flow_run.id, request, runs, client.console, now)
        except (PrefectException, httpx.HTTPError) as error:
            log.warning("The page does not say how the Glue run ended: %s", error)
        if attempts := attempts_of(runs, request):
            refresh_glue_jobs(request.job_name, attempts, Place.of(client), flow_run.id)

    return settling_hook("stop_live_runs", settle, "Check the job's runs in Glue, and stop them")


def stop_when_crashed(stop: Hook) -> Hook:
    """A hook that stops the Glue run if that is requested, else leaves it to be adopted."""

    def stop_if_requested(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
        assert isinstance(flow, FormFlow)
        options = flow.in_their_places(flow_run.parameters).get("wait_options") or {}
        if options.get("when_crashed") == "stop":
            stop(flow, flow_run, state)
        else:
            HarmlessLog(flow_run_logger(flow_run, flow)).warning(
                "A Glue run of this flow run may still be live. Retry the flow run to adopt it."
            )

    return stop_if_requested

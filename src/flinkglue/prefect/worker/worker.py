"""The worker: takes flow runs from its pool, and runs them as threads or as processes."""

from __future__ import annotations

import asyncio
import builtins
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import anyio.abc
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.logging.loggers import print_as_log
from prefect.workers.process import ProcessWorker

from flinkglue.prefect.beside import Beside
from flinkglue.prefect.gateway_answers import repeat_404_of_gateways
from flinkglue.prefect.giving_way import count_beginning_by
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.store.thread_ownership import thread_pid
from flinkglue.prefect.worker.configuration import ThreadJobConfiguration, ThreadVariables
from flinkglue.prefect.worker.handing_back import HandingBack
from flinkglue.prefect.worker.hook_processes import HookProcesses
from flinkglue.prefect.worker.isolation import NeedsProcess
from flinkglue.prefect.worker.members.adoption import Adoption, reschedule
from flinkglue.prefect.worker.members.cancelled_runs import CancelledRuns
from flinkglue.prefect.worker.members.membership import Membership
from flinkglue.prefect.worker.outage import retried_until_available
from flinkglue.prefect.worker.own_processes import OwnProcesses
from flinkglue.prefect.worker.pool_events import PoolEvents
from flinkglue.prefect.worker.queue_priorities import QueuePriorities
from flinkglue.prefect.worker.service import Callbacks, Service
from flinkglue.prefect.worker.settings import DEFAULT_LIMIT, WorkerSettings
from flinkglue.prefect.worker.stopping import (
    AFTER_DRAIN_SECONDS,
    HANGING_SECONDS,
    ExitTime,
    drained,
    stoppable,
)
from flinkglue.prefect.worker.taking import (
    NoDeployment,
    NotLoaded,
    NotTaken,
    Taking,
    WasCancelled,
    is_taken_over,
)
from flinkglue.prefect.worker.threads.ending import Endings
from flinkglue.prefect.worker.threads.flow_run_now import flow_run_now
from flinkglue.prefect.worker.threads.runs import ThreadRuns
from flinkglue.prefect.worker.threads.shared_client import (
    FLUSH_SECONDS,
    context_of_runs,
    shared_client,
)
from flinkglue.prefect.worker.threads.start_queue import NotBegun, StartQueue

STOP_SECONDS, LEAVE_SECONDS = 10.0, 30.0
"""How long the loops may take to end, and the record to be deleted."""


class ThreadWorker(ProcessWorker):
    """Runs flow runs as threads of one process that has loaded their flows already."""

    type = "thread"
    job_configuration = ThreadJobConfiguration
    job_configuration_variables = ThreadVariables  # type: ignore[assignment]
    _description = (
        "Execute flow runs as threads of a worker that keeps their flows loaded. For many flow "
        "runs that mostly wait; a flow run may request its own process."
    )
    _display_name = "Thread"

    def __init__(self, work_pool_name: str, *, limit: int | None = None, **kwargs: Any) -> None:
        limit = DEFAULT_LIMIT if limit is None else limit
        super().__init__(work_pool_name, limit=limit, **kwargs)
        self.own_settings = WorkerSettings.from_environment()
        self.is_stopping = False
        self._polls_once = True
        self._woken, self._answered = asyncio.Event(), asyncio.Event()
        self._polling = asyncio.Lock()
        self._early_cancelled: set[UUID] = set()
        self._home = Path(tempfile.mkdtemp(prefix="prefect-thread-worker-"))
        self._http = shared_client()
        self._processes = OwnProcesses()
        self._exit_time = ExitTime()
        self._starts = StartQueue(
            is_active=self._is_active, priority_of=lambda queue_id: self._priorities.of(queue_id)
        )
        self._print = builtins.print
        self.runs: ThreadRuns | None = None
        self._membership: Membership | None = None
        self._has_left = self._is_answered = False
        self._adoption: Adoption | None = None
        self._service: Service | None = None

    # -- life ------------------------------------------------------------------------------------

    async def start(
        self,
        run_once: bool = False,
        with_healthcheck: bool = False,
        printer: Callable[..., None] = print,
    ) -> None:
        """As of every worker; SIGTERM drains it."""
        self._polls_once = run_once
        work = super().start(run_once, with_healthcheck, printer)
        await stoppable(work, lambda: self._stop(printer))

    async def _sync_and_initialize(self) -> None:
        """As of every worker, but an outage of the server does not end it."""
        repeat_404_of_gateways(self.client)
        if self._polls_once:
            await super()._sync_and_initialize()
        else:
            # The setup must not wait: Prefect cannot end a worker in the middle of it.
            await retried_until_available(
                super()._sync_and_initialize, self._logger, just_once=not self.is_setup
            )

    async def _initialize_after_sync(self) -> None:
        if self._work_pool is not None and self._service is None:
            await self._begin()
        await super()._initialize_after_sync()

    async def _setup_cancellation_observer(self) -> None:
        """The pool's events report cancellations as well."""

    async def _begin(self) -> None:
        """What needs the work pool; no flow run is taken before."""
        pool, lease_seconds = self.work_pool, self.own_settings.lease_seconds
        records = ServerRecords(self._http)
        membership = Membership(records, str(pool.id), self.name, lease_seconds)
        await asyncio.to_thread(membership.join)
        if self.runs is None:
            context = context_of_runs(self._http)
            context.run(count_beginning_by, self._starts.how_many_begin)
            self._endings = Endings(
                self.client,
                lambda run: self._taking.flow_of(run, self.work_pool.base_job_template),
                HookProcesses(
                    self._home, lambda run: self._taking.environment_of(run, self.work_pool)
                ).run_cancellation_hooks,
                self._logger,
            )
            self.runs = ThreadRuns(self.client, self._endings, context, self._logger)
            self._priorities = QueuePriorities(self.client, pool.name, self._logger)
            self._taking = Taking(self.client, self.name, self._home, self._logger)
            self._handing_back = HandingBack(self.client, self._logger)
            self._warming = asyncio.create_task(self._taking.warm(pool.name))
            # Prefect patches it for each run and puts back what it found: of runs that overlap,
            # the first to end would take it away from the others.
            builtins.print = print_as_log
        self._adoption = adoption = Adoption(
            self.client,
            pool.name,
            membership,
            is_mine=self._is_mine,
            take_over=self._take_over,
            end_cancelled=self._endings.begin_cancelled,
            log=self._logger,
        )
        cancelled = CancelledRuns(
            self.client, pool.name, membership, end=self._end_cancelled, log=self._logger
        )
        events = PoolEvents(
            pool.id,
            wake=self._woken.set,
            answered=self._answered.set,
            cancelling=self._cancel_run,
            suspended=self.runs.suspended,
            cancelled=cancelled.reported,
            log=self._logger,
        )
        self._membership = membership
        self._service = Service(
            self.client,
            membership,
            adoption,
            cancelled,
            self.runs,
            events,
            woken=self._woken,
            answered=self._answered,
            callbacks=Callbacks(
                poll=self._poll,
                cancelling=self._cancel_run,
                lost=self._lost,
                waiting=self._waiting,
            ),
            log=self._logger,
        )
        self._service.start()

    def _is_active(self, flow_run_id: UUID) -> bool:
        return self.runs is not None and self.runs.is_active(flow_run_id)

    def _waiting(self) -> list[UUID]:
        """The flow runs that only wait just now: for something of theirs, or to begin."""
        assert self.runs is not None
        return [*self.runs.waiting(), *self._starts.queued()]

    async def _lost(self) -> bool:
        """Another worker has taken over: leave everything to it, and join again."""
        assert self.runs is not None
        lost = self._service
        self._logger.error(
            "This worker gave no sign of life for longer than its lease. Its flow runs were "
            "taken over by another one; it leaves them%s.",
            "" if self.is_stopping else " and joins again",
        )
        self.runs.leave_all("another worker has taken over its flow runs")
        if self.is_stopping:
            return True
        await self._begin()
        if lost is not None:
            await lost.stop()
        return True

    async def _stop(self, printer: Callable[..., None]) -> None:
        self._exit_time.begin(self.own_settings.drain_seconds + AFTER_DRAIN_SECONDS)
        await self._drain(printer)
        if self.runs:
            self._exit_time.begin(self._exit_time.left(HANGING_SECONDS))

    async def _drain(self, printer: Callable[..., None]) -> None:
        self.is_stopping = True
        self._starts.close()
        if self._service is not None:
            await self._service.stop_adopting()
        if self.runs is not None and self._membership is not None:
            await drained(
                self.runs,
                self._processes,
                thread_pid(self._membership.worker_id),
                self._membership.is_known_held,
                self._handing_back,
                self.own_settings.drain_seconds,
                self._logger,
                printer,
            )

    async def teardown(self, *exc_info: Any) -> None:
        """As of every worker; its record goes when none of its threads can do anything more."""
        self.is_stopping = True
        if self._service is not None:
            stopping = asyncio.create_task(self._service.stop())
            await asyncio.wait({stopping}, timeout=self._exit_time.left(STOP_SECONDS))
        if not self.runs:
            await self._leave_pool()
        # The last names and rows of pages are written.
        await asyncio.to_thread(self._http.flush, self._exit_time.left(FLUSH_SECONDS))
        builtins.print = self._print
        if self.runs is not None:
            self._warming.cancel()
            self._taking.close()
        shutil.rmtree(self._home, ignore_errors=True)
        await super().teardown(*exc_info)
        await self._leave_pool()  # of threads that hang the process does not wait, which ends now
        await asyncio.to_thread(self._http.close, self._exit_time.left(FLUSH_SECONDS))
        if self._is_answered and not self.runs:  # otherwise threads hang, which keep the process
            self._exit_time.end()

    async def _leave_pool(self) -> None:
        """Its flow runs may be adopted at once from now on."""
        if self._membership is not None and not self._has_left:
            self._has_left = True
            # Not in a thread that the end of the process waits for; its lease ends it as well.
            leaving = Beside("The record of this worker stays until its lease ends")
            leaving.begin(self._membership.leave)
            self._is_answered = await asyncio.to_thread(
                leaving.end, self._exit_time.left(LEAVE_SECONDS)
            )
            if not self._is_answered:
                self._logger.warning(
                    "The record of this worker may stay until its lease ends: the server does not "
                    "answer"
                )

    # -- taking flow runs ------------------------------------------------------------------------

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """As of every worker, but for its loop: the service asks when there is something to run."""
        if self._service is not None and not self._polls_once:
            return []
        return await self._taken()

    async def _taken(self) -> list[FlowRun]:
        """One poll at a time."""
        async with self._polling:
            return [] if self.is_stopping else await super().get_and_submit_flow_runs()

    async def _poll(self) -> int:
        return len(await self._taken())

    async def _submit_scheduled_flow_runs(
        self, flow_run_response: list[WorkerFlowRunResponse]
    ) -> list[FlowRun]:
        assert self.runs is not None
        held = self.limiter.statistics().borrowers
        new = [
            entry
            for entry in flow_run_response
            if entry.flow_run.id not in held and entry.flow_run.id not in self._endings
        ]
        for entry in flow_run_response:
            await self.runs.resumed(entry.flow_run.id)
        self._taking.begin_batch()
        if self._starts.is_crowded_by(len(new)):
            await self._priorities.learn(entry.work_queue_id for entry in new)
        taken = await super()._submit_scheduled_flow_runs(new)
        queues = {entry.flow_run.id: entry.work_queue_id for entry in new}
        for flow_run in taken:
            self._starts.expect(flow_run.id, queues[flow_run.id])
        return taken

    def _take_over(self, flow_run: FlowRun) -> bool:
        """Run a flow run that is *Running*, and has lost its worker; False: there is no room."""
        assert self._runs_task_group is not None
        try:
            self.limiter.acquire_on_behalf_of_nowait(flow_run.id)
        except anyio.WouldBlock:
            return False
        self._submitting_flow_run_ids.add(flow_run.id)
        self._taking.begin_batch()
        self._runs_task_group.start_soon(self._submit_run, flow_run)
        return True

    async def _submit_run(self, flow_run: FlowRun) -> None:
        """Run one flow run; returns when it has ended, or when its process has started."""
        in_process = False
        try:
            in_process = not await self._ran_in_thread(flow_run)
        except Exception:  # noqa: BLE001 - one flow run's fault is not that of the others
            self.get_flow_run_logger(flow_run).exception(
                "Flow run %r could not be run by worker %r", flow_run.name, self.name
            )
        finally:
            self._submitting_flow_run_ids.discard(flow_run.id)
            self._early_cancelled.discard(flow_run.id)
            self._starts.leave(flow_run.id)
            waited_for = self.limiter.available_tokens < 1
            if not in_process:
                self._release_limit_slot(flow_run.id)
            if waited_for:  # a flow run may have
                self._woken.set()

    async def _ran_in_thread(self, flow_run: FlowRun) -> bool:
        """False: it has a process now, which keeps the flow run's slot."""
        assert self._membership is not None
        assert self.runs is not None
        log, template = self.get_flow_run_logger(flow_run), self.work_pool.base_job_template
        try:
            live = await self._taking.take(flow_run, template, self._membership)
        except WasCancelled as why:
            self._endings.begin(flow_run, self._endings.refused(flow_run, str(why)))
        except NotTaken as why:
            log.info("Flow run %s is not run by this worker: %s", flow_run.id, why)
        except NoDeployment as why:
            await self._mark_flow_run_as_cancelled(flow_run, {"message": str(why)})
        except NotLoaded as why:
            await self._propose_crashed_state(flow_run, str(why))
        except NeedsProcess as why:
            log.info("The flow run gets its own process: %s", why)
            if is_taken_over(flow_run):
                await reschedule(self.client, flow_run, f"It needs a process: {why}", self._logger)
                return True
            return not await self._start_process(flow_run)
        else:
            try:
                await self._starts.enter(flow_run.id)
                live.interruption.on_first_wait = self._starts.leaver(flow_run.id)
                await self.runs.run(live, lambda: self._started(flow_run.id))
            except NotBegun:
                await self._handing_back.one((flow_run.id, live.owner, live.may_speak))
            finally:
                self._taking.release(live.root)
        return True

    def _started(self, flow_run_id: UUID) -> None:
        self._submitting_flow_run_ids.discard(flow_run_id)
        if flow_run_id in self._early_cancelled and self.runs is not None:
            asyncio.get_running_loop().create_task(self.runs.cancel(flow_run_id))

    async def _start_process(self, flow_run: FlowRun) -> bool:
        """As the process worker does it, from the state Pending on; False: the worker stops."""
        assert self._runs_task_group is not None
        assert self._membership is not None
        if not self.is_stopping:
            await self._taking.hand_to_a_process(flow_run, self._membership)
        if self.is_stopping:  # its process would be terminated, and say Crashed
            owner = thread_pid(self._membership.worker_id)
            await self._handing_back.one((flow_run.id, owner, self._membership.is_known_held))
            return False
        pid = await self._runs_task_group.start(self._in_process, flow_run)
        if pid and not isinstance(pid, Exception):
            self._processes.started(flow_run.id, int(pid))
            await self._write_pid(flow_run, int(pid))
        return True

    async def _write_pid(self, flow_run: FlowRun, pid: int) -> None:
        """The flow run keeps its process and its slot also if that fails."""

        async def write() -> None:
            async with self._processes.writing(flow_run.id) as is_owned:
                if is_owned:
                    await self.client.update_flow_run(flow_run.id, infrastructure_pid=str(pid))

        try:
            await retried_until_available(write, self._logger)
        except Exception as error:  # noqa: BLE001 - its process goes on
            self.get_flow_run_logger(flow_run).warning(
                "The process ID %s of the flow run could not be written: %s", pid, error
            )

    async def _in_process(
        self, flow_run: FlowRun, *, task_status: anyio.abc.TaskStatus[int | Exception]
    ) -> None:
        with self._processes.running(flow_run.id):
            await self._submit_run_and_capture_errors(flow_run, task_status)

    # -- what happens to flow runs ---------------------------------------------------------------

    def _is_mine(self, flow_run_id: UUID) -> bool:
        held = self.limiter.statistics().borrowers
        taken = self._submitting_flow_run_ids
        own = (taken, held, self._endings, self._processes)
        return any(flow_run_id in some for some in own)

    async def _cancel_run(self, flow_run_id: UUID) -> None:
        """It is to be cancelled: a thread, one about to start, or one that is gone."""
        assert self.runs is not None
        if await self.runs.cancel(flow_run_id):
            return
        if flow_run_id in self._submitting_flow_run_ids:
            self._early_cancelled.add(flow_run_id)
            self._starts.hurry(flow_run_id)
        if self._is_mine(flow_run_id):
            return
        run = await flow_run_now(self.client, flow_run_id)
        if run is None:
            return
        is_cancelling = run.state is not None and run.state.is_cancelling()
        if is_cancelling and self._adoption and await self._adoption.may_end(run):
            self._endings.begin_cancelled(run)

    async def _end_cancelled(self, run: FlowRun) -> bool:
        """The server has set it to Cancelled already."""
        assert self.runs is not None
        if await self.runs.cancel(run.id, is_over=True) or run.id in self._endings:
            return True
        if self._is_mine(run.id):
            return False
        self._endings.begin_cancelled(run)
        return True

"""A small JobManager on the wire, with the answers that were recorded from Flink 1.17 to 2.3.

What a jar does is written in it: the words of ``Behaviour``.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx

from flinkglue.flink.jars.packing import SCRIPT_NAME
from flinkglue.flink.python_program import exit_code_of
from tests.unit.lifecycle.fake_flink_jobs import (
    DIRECTORY,
    Behaviour,
    Clock,
    Job,
    PretendedCluster,
    failure,
)

_ASYNC_RESULTS_KEPT_SECONDS = 300
_DUPLICATE = {
    "1.17": "org.apache.flink.runtime.client.DuplicateJobSubmissionException: Job has already been",
    "2.3": "org.apache.flink.runtime.client.DuplicateApplicationSubmissionException: Application",
}
_IN_MAIN = (
    "org.apache.flink.runtime.rest.handler.RestHandlerException: Could not execute application.",
    "Caused by: org.apache.flink.util.FlinkRuntimeException: Could not execute application.",
)
_MAIN_THREW = (
    "Caused by: org.apache.flink.client.program.ProgramInvocationException: The main method"
)
_NO_PLAN = (
    "org.apache.flink.client.program.ProgramInvocationException: The program plan could not be "
    "fetched - the program aborted pre-maturely. The root cause may be that the main method "
    "doesn't call `env.execute()` or `env.executeAsync()`."
)
_ONE_ENVIRONMENT = {
    "1.17": "Cannot have more than one execute() or executeAsync() call in a single environment.",
    "2.3": "Cannot have more than 1 streaming jobs in a single environment.",
}
_HANDLER = "org.apache.flink.runtime.rest.handler.RestHandlerException"
_NOT_FOUND = "org.apache.flink.runtime.rest.NotFoundException"
_NOT_RUN = f"{_HANDLER}: Could not execute application."
_INTERNAL = (
    "Internal server error.",
    "<Exception on server side:",
    f"java.util.concurrent.CompletionException: {_HANDLER}: Could not create the program.",
)
_STATE_BACKENDS = {"forst": "ForStStateBackend", "rocksdb": "EmbeddedRocksDBStateBackend"}
_RUN_FIELDS = {
    "entryClass",
    "programArgsList",
    "parallelism",
    "jobId",
    "savepointPath",
    "allowNonRestoredState",
    "restoreMode",
    "flinkConfiguration",
}


class FlinkSays(Exception):
    """An error answer."""

    def __init__(self, status: int, *stack: str) -> None:
        self.answer = httpx.Response(status, json={"errors": ["\n".join(stack)]})
        super().__init__(stack)


def _from_python(error: FlinkSays, path: str) -> httpx.Response:
    """What PythonDriver passes on: the exit code, and what was printed if it was for a plan."""
    ended = f"Python process exits with code: {exit_code_of(error.answer.text)}"
    aborted = f"Caused by: org.apache.flink.client.program.ProgramAbortException: {ended}"
    cause = f"Caused by: java.lang.RuntimeException: {ended}"
    if path.endswith("/run"):
        return FlinkSays(400, _IN_MAIN[0], aborted, cause).answer
    printed = (
        "System.out: Traceback\nModuleNotFoundError: No module named 'x'\n\nSystem.err: (none)"
    )
    caused = f"ProgramInvocationException: The program caused an error: \n\n{printed}"
    return FlinkSays(500, "Internal server error.", caused, aborted, cause).answer


def _what_it_does(jar: bytes) -> str:
    """The words of a jar, or of the program in one."""
    if not jar.startswith(b"PK"):
        return jar.decode()
    with zipfile.ZipFile(BytesIO(jar)) as archive:
        names = (SCRIPT_NAME, "orders.py")
        return next(archive.read(name).decode() for name in names if name in archive.namelist())


class FakeJobManager(PretendedCluster):
    """The JobManager; ``transport`` goes into an ``httpx.Client``.

    Args:
        clock: The test's time.
        version: ``1.17`` or ``2.3``.
        retain: Whether checkpoints survive a cancellation.
        checkpoint_every_seconds: The interval of each job's checkpoints; 0: none.
        application: Whether it runs one application, and leaves when its job has ended and the
            result of the last operation was fetched.
        cached_seconds: How long its execution graph cache keeps a job's details, as
            ``web.refresh-interval`` says: 3 s in Flink.
        web_submit: Whether it takes jars; not with ``web.submit.enable: false``, nor in Application
            Mode. Its ``/config`` says so, and its router has no ``/jars`` then (measured on 2.3.0).

    Attributes:
        main_seconds: How long each ``main()`` takes to reach ``execute()``.
        mains: How often one was run.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        version: str = "2.3",
        retain: bool = True,
        checkpoint_every_seconds: float = 2.0,
        application: bool = False,
        cached_seconds: float = 0.0,
        web_submit: bool = True,
    ) -> None:
        super().__init__(clock, retain=retain, checkpoint_every_seconds=checkpoint_every_seconds)
        self.version = version
        self.application = application
        self.cached_seconds = cached_seconds
        self.web_submit = web_submit
        self.is_down = False
        self.answers_with = 0
        self.gone: httpx.TransportError = httpx.ConnectError("[Errno 111] Connection refused")
        self.gone.__cause__ = ConnectionRefusedError(111, "Connection refused")  # as httpcore does
        self.hides_settings = False
        self.tells_state_backend = True
        self.slots = 64
        self.tells_slots_of_jobs = True
        self.source_metrics: dict[str, dict[str, float]] = {}  # max and sum, by id
        self.own_parallelism = 0  # what main() sets itself, whatever it was launched with
        self.settings: dict[str, str] = {}
        self._cached: dict[str, tuple[float, dict[str, Any]]] = {}
        self.second_job_name = "second half"
        self.jars: dict[str, tuple[str, str]] = {}
        self.requests: list[httpx.Request] = []
        self.main_seconds = 0.0
        self.mains = 0
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        self.advance()
        if self.is_down and self.answers_with:
            return httpx.Response(self.answers_with, json={"errors": ["Internal server error."]})
        if self.is_down:
            raise self.gone
        path = request.url.path
        if path.endswith(("/plan", "/run")):
            self._run_main(request)
        try:
            for method, pattern, handler in self._routes():
                if path.startswith("/jars") and not self.web_submit:
                    continue
                match = re.fullmatch(pattern, path)
                if request.method == method and match:
                    status, body = handler(request, *match.groups())
                    return httpx.Response(status, json=body)
        except FlinkSays as error:
            runs_python = b"client.python.PythonDriver" in request.content
            return _from_python(error, path) if runs_python else error.answer
        return _no_such_call(request.method, path)

    def _run_main(self, request: httpx.Request) -> None:
        """main() goes on when nobody waits for it any more, and its job is submitted then."""
        self.mains += 1
        # Served over HTTP, it is the server's own request: how long its client waits is not told.
        waits_seconds = request.extensions.get("timeout", {}).get("read", math.inf)
        if self.main_seconds <= waits_seconds:
            self.clock.sleep(self.main_seconds)
            self.advance()
            return
        if jar := re.fullmatch("/jars/(.+)/run", request.url.path):
            self.later(self.main_seconds, lambda: self._run(request, jar[1]))
        self.clock.sleep(waits_seconds)
        raise httpx.ReadTimeout("The read operation timed out", request=request)

    def _routes(self) -> list[tuple[str, str, Callable[..., tuple[int, Any]]]]:
        job = "/jobs/([0-9a-f]{32})"
        return [
            ("GET", "/overview", self._overview),
            ("GET", "/config", self._dashboard_config),
            ("GET", "/taskmanagers", self._taskmanagers),
            ("GET", "/taskmanagers/tm-1", self._taskmanager),
            ("GET", "/jobmanager/config", self._config),
            ("POST", "/jars/upload", self._upload),
            ("GET", "/jars", self._list_jars),
            ("DELETE", "/jars/(.+)", self._delete_jar),
            ("POST", "/jars/(.+)/plan", self._plan),
            ("POST", "/jars/(.+)/run", self._run),
            ("GET", "/jobs/overview", self._list_jobs),
            ("GET", job, self._job),
            ("PATCH", job, self._cancel),
            ("GET", f"{job}/exceptions", self._exceptions),
            ("GET", f"{job}/metrics", self._metrics),
            ("GET", f"{job}/vertices/v/subtasks/metrics", self._source_metrics),
            ("GET", f"{job}/checkpoints", self._checkpoints),
            ("GET", f"{job}/checkpoints/config", self._checkpoint_config),
            ("POST", f"{job}/(savepoints|stop)", self._trigger),
            ("GET", f"{job}/savepoints/([0-9a-f]{{32}})", self._operation),
            ("POST", "/savepoint-disposal", self._dispose),
            ("GET", "/savepoint-disposal/([0-9a-f]{32})", self._disposal),
        ]

    def _overview(self, request: httpx.Request) -> tuple[int, Any]:
        free = self.slots - len(self._taken_slots())
        slots = {"slots-total": self.slots, "slots-available": free}
        return 200, {"flink-version": f"{self.version}.0", "taskmanagers": 1, **slots}

    def _taken_slots(self) -> list[str]:
        """The job of each taken slot: all its operators share as many as it has parallel tasks."""
        live = (job for job in self.jobs.values() if not job.is_terminal)
        return [job.job_id for job in live for _ in range(job.body.get("parallelism", 1))]

    def _taskmanagers(self, request: httpx.Request) -> tuple[int, Any]:
        free = self.slots - len(self._taken_slots())
        only = {"id": "tm-1", "slotsNumber": self.slots, "freeSlots": free}
        return 200, {"taskmanagers": [only]}

    def _taskmanager(self, request: httpx.Request) -> tuple[int, Any]:
        slots = [{"jobId": job_id, "resource": {}} for job_id in self._taken_slots()]
        told = {"allocatedSlots": slots} if self.tells_slots_of_jobs else {}
        return 200, {"id": "tm-1", "slotsNumber": self.slots, **told}

    def _dashboard_config(self, request: httpx.Request) -> tuple[int, Any]:
        features = {"web-submit": self.web_submit, "web-cancel": False}
        interval_ms = int(self.cached_seconds * 1000) or 3000
        return 200, {
            "refresh-interval": interval_ms,
            "timezone-offset": 0,
            "flink-version": f"{self.version}.0",
            "features": features,
        }

    def _config(self, request: httpx.Request) -> tuple[int, Any]:
        if self.hides_settings:
            raise FlinkSays(403, "Forbidden")
        new = self.version == "2.3"
        savepoints = "execution.checkpointing.savepoint-dir" if new else "state.savepoints.dir"
        checkpoints = "execution.checkpointing.dir" if new else "state.checkpoints.dir"
        settings = {
            savepoints: f"{DIRECTORY}/savepoints",
            checkpoints: f"{DIRECTORY}/checkpoints",
            "web.tmpdir": "/uploads",
            **self.settings,
        }
        if self.application:
            settings["execution.target"] = "embedded"
        return 200, [{"key": key, "value": value} for key, value in settings.items()]

    def _upload(self, request: httpx.Request) -> tuple[int, Any]:
        head, _, rest = request.content.partition(b"\r\n\r\n")
        name = re.search(r'filename="([^"]+)"', head.decode())
        assert name
        jar_id = f"{next(self.numbers):08d}_{name[1]}"
        self.jars[jar_id] = (name[1], _what_it_does(rest.rpartition(b"\r\n--")[0]))
        return 200, {"filename": f"/uploads/{jar_id}", "status": "success"}

    def _list_jars(self, request: httpx.Request) -> tuple[int, Any]:
        files = [
            {"id": jar_id, "name": name, "uploaded": int(jar_id[:8]), "entry": []}
            for jar_id, (name, _) in self.jars.items()
        ]
        return 200, {"files": files}

    def _delete_jar(self, request: httpx.Request, jar_id: str) -> tuple[int, Any]:
        if self.jars.pop(jar_id, None) is None:
            raise FlinkSays(400, f"{_HANDLER}: File {jar_id} does not exist in /uploads.")
        return 200, {}

    def _plan(self, request: httpx.Request, jar_id: str) -> tuple[int, Any]:
        if self._check_program(jar_id) is Behaviour.NO_JOB:
            raise FlinkSays(500, "Internal server error.", _NO_PLAN, "Classpath: [file:/uploads/x]")
        # main() is left at its first execute(): whatever it does later is in no plan.
        body = json.loads(request.content)
        own = self.own_parallelism or body.get("parallelism", 1)
        return 200, {"plan": {"nodes": [{"id": "source", "parallelism": own}, {"id": "sink"}]}}

    def _check_program(self, jar_id: str) -> Behaviour:
        if jar_id not in self.jars:
            raise FlinkSays(500, f"{_HANDLER}: Jar file {jar_id} does not exist")
        behaviour = Behaviour(self.jars[jar_id][1])
        if behaviour is Behaviour.THROWS_IN_MAIN:
            raise FlinkSays(
                400,
                f"{_HANDLER}: Could not execute application.",
                "Caused by: java.lang.IllegalStateException: this release throws in its main",
            )
        if behaviour is Behaviour.MISSING_CLASS:
            raise FlinkSays(500, *_INTERNAL, "Caused by: java.lang.ClassNotFoundException: Count")
        return behaviour

    def _run(self, request: httpx.Request, jar_id: str) -> tuple[int, Any]:
        body = json.loads(request.content)
        if self.version == "1.17" and (unknown := body.keys() - _RUN_FIELDS):
            raise FlinkSays(400, f"{_HANDLER}: Unrecognized field {sorted(unknown)}")
        behaviour = self._check_program(jar_id)
        if behaviour is Behaviour.THROWS_WHEN_RUN:
            raise FlinkSays(400, _NOT_RUN, "Caused by: java.net.ConnectException: no broker")
        if behaviour is Behaviour.NO_JOB:
            raise FlinkSays(400, f"{_HANDLER}: No jobs included in application.")
        job_id = body.get("jobId") or f"{next(self.numbers):032x}"
        name = body.get("flinkConfiguration", {}).get("pipeline.name", "Flink Job")
        if job_id in self.jobs:
            raise self._duplicate(name)
        restored = body.get("savepointPath")
        if restored is not None and restored not in self.stored:
            raise FlinkSays(400, _NOT_RUN, "Caused by: java.io.FileNotFoundException: state")
        own = body.get("flinkConfiguration", {})
        backend = own.get("state.backend.type") or self.settings.get("state.backend.type", "")
        self.start(
            Job(
                state_backend=_STATE_BACKENDS.get(backend, "HashMapStateBackend"),
                job_id=job_id,
                name=name,
                behaviour=behaviour,
                started_at=self.clock.seconds,
                restored=restored,
                count_at_start=self.stored[restored][0] if restored else 0,
                body=body,
            )
        )
        if restored and body["restoreMode"] == "CLAIM":
            del self.stored[restored]
        self._go_on_with_main(behaviour)
        return 200, {"jobid": job_id}

    def _go_on_with_main(self, behaviour: Behaviour) -> None:
        """What main() does when its first job has been submitted."""
        if behaviour is Behaviour.TWO_JOBS and self.version != "1.17":  # 1.x says nothing of it
            raise self._duplicate(self.second_job_name)
        if behaviour is Behaviour.TWO_JOBS_OF_ONE_ENVIRONMENT:
            cause = f"org.apache.flink.util.FlinkRuntimeException: {_ONE_ENVIRONMENT[self.version]}"
            raise FlinkSays(400, *_IN_MAIN, f"{_MAIN_THREW} caused an error", f"Caused by: {cause}")
        if behaviour.startswith(Behaviour.THROWS_AFTER_SUBMIT):
            cause = (
                "Job was submitted in detached mode. Results of job execution are not available."
            )
            raise FlinkSays(
                400,
                *_IN_MAIN,
                f"{_MAIN_THREW} caused an error: {cause}",
                f"Caused by: org.apache.flink.api.common.InvalidProgramException: {cause}",
            )

    def _duplicate(self, name: str) -> FlinkSays:
        failed = f"Failed to execute job '{name}'."
        return FlinkSays(
            400,
            *_IN_MAIN,
            f"{_MAIN_THREW} caused an error: {failed}",
            f"Caused by: org.apache.flink.util.FlinkException: {failed}",
            f"Caused by: {_DUPLICATE[self.version]}",
        )

    def _known(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise FlinkSays(404, f"{_NOT_FOUND}: Job {job_id} not found", _unknown(job_id))
        return self.jobs[job_id]

    def _list_jobs(self, request: httpx.Request) -> tuple[int, Any]:
        return 200, {"jobs": [_details(job) for job in self.jobs.values()]}

    def _job(self, request: httpx.Request, job_id: str) -> tuple[int, Any]:
        job = self._known(job_id)
        tasks = {"RUNNING" if job.tasks_running else "SCHEDULED": 2}
        vertex = {"id": "v", "name": "count", "parallelism": 2, "status": "X", "tasks": tasks}
        kept = self._cached.get(job_id)
        if kept is None or self.clock.seconds - kept[0] >= self.cached_seconds:
            plan = {"nodes": [{"id": "v", "parallelism": 2}]}
            kept = self.clock.seconds, {**_details(job), "vertices": [vertex], "plan": plan}
            self._cached[job_id] = kept
        return 200, kept[1]

    def _cancel(self, request: httpx.Request, job_id: str) -> tuple[int, Any]:
        if job_id not in self.jobs:
            raise FlinkSays(404, f"{_HANDLER}: Job could not be found.", _unknown(job_id))
        job = self.jobs[job_id]
        if job.is_terminal:
            already = f"because the job has already reached another terminal state ({job.state})."
            raise FlinkSays(409, f"{_HANDLER}: Job cancellation failed {already}")
        job.state, job.tasks_running = "CANCELLING", False
        self.later(0.2, lambda: self._end_cancelled(job))
        return 202, {}

    def _end_cancelled(self, job: Job) -> None:
        self.end(job, "CANCELED")
        self.is_down = self.is_down or self.application  # measured on 2.3.0: it leaves at once

    def _exceptions(self, request: httpx.Request, job_id: str) -> tuple[int, Any]:
        failures = self._known(job_id).failures
        entries = [{"stacktrace": text, "timestamp": 1} for text in failures]
        answer: dict[str, Any] = {"exceptionHistory": {"entries": entries, "truncated": False}}
        if self.version == "1.17":
            answer["root-exception"] = failures[0] if failures else None
        return 200, answer

    def _metrics(self, request: httpx.Request, job_id: str) -> tuple[int, Any]:
        # The first read finds nothing, and later ones come late: never ahead of the exceptions.
        self._known(job_id)
        return 200, []

    def _source_metrics(self, request: httpx.Request, job_id: str) -> tuple[int, Any]:
        """Their ids; with ``get`` and ``agg``, what they are over all subtasks."""
        self._known(job_id)
        if "get" not in request.url.params:
            return 200, [{"id": each} for each in self.source_metrics]
        names = request.url.params["get"].split(",")
        return 200, [{"id": name, **self.source_metrics[name]} for name in names]

    def _checkpoints(self, request: httpx.Request, job_id: str) -> tuple[int, Any]:
        job = self._known(job_id)
        latest: dict[str, Any] = {"completed": None, "savepoint": None, "restored": None}
        if job.checkpoints:
            number, path = job.checkpoints[-1]
            latest["completed"] = self._stats(number, path, discarded=job.discarded)
        if job.savepoint:
            latest["savepoint"] = self._stats(job.savepoint_id, job.savepoint, is_savepoint=True)
        if job.restored:
            latest["restored"] = self._stats(1, job.restored)
        return 200, {"counts": {"completed": job.completed, "failed": 0}, "latest": latest}

    def _stats(
        self, number: int, path: str, *, is_savepoint: bool = False, discarded: bool = False
    ) -> dict[str, Any]:
        _, taken_at = self.stored.get(path, (0, 0.001))
        return {
            "id": number,
            "is_savepoint": is_savepoint,
            "external_path": path,
            "trigger_timestamp": int(taken_at * 1000),
            "state_size": 1797,
            "discarded": discarded,
        }

    def _checkpoint_config(self, request: httpx.Request, job_id: str) -> tuple[int, Any]:
        job = self._known(job_id)
        interval = int(self.checkpoint_every_seconds * 1000) or 0x7FFFFFFFFFFFFFFF
        kept = {"enabled": self.retain, "delete_on_cancellation": not self.retain}
        told = {"state_backend": job.state_backend} if self.tells_state_backend else {}
        return 200, {"interval": interval, "externalization": kept, **told}

    def _trigger(self, request: httpx.Request, job_id: str, kind: str) -> tuple[int, Any]:
        body = json.loads(request.content)
        trigger_id = body["triggerId"]
        if trigger_id not in self.operations:
            self.operations[trigger_id] = (self.clock.seconds, None)
            is_stop = kind == "stop"
            directory = body.get("targetDirectory" if is_stop else "target-directory")
            self.later(
                0.4,
                lambda: self.take(
                    job_id,
                    trigger_id,
                    stop=is_stop,
                    directory=directory,
                    format_type=body.get("formatType", "CANONICAL"),
                ),
            )
        return 202, {"request-id": trigger_id}

    def _operation(self, request: httpx.Request, job_id: str, trigger_id: str) -> tuple[int, Any]:
        at, operation = self.operations.get(trigger_id, (0.0, None))
        expired = operation and self.clock.seconds - at > _ASYNC_RESULTS_KEPT_SECONDS
        if trigger_id not in self.operations or expired:
            self.operations.pop(trigger_id, None)
            unknown = (
                f"There is no savepoint operation with triggerId={trigger_id} for job {job_id}."
            )
            raise FlinkSays(404, f"{_HANDLER}: {unknown}")
        if operation is None:
            return 200, {"status": {"id": "IN_PROGRESS"}, "operation": None}
        if self.application and not any(not job.is_terminal for job in self.jobs.values()):
            self.is_down = True
        return 200, {"status": {"id": "COMPLETED"}, "operation": operation}

    def _dispose(self, request: httpx.Request) -> tuple[int, Any]:
        path = json.loads(request.content)["savepoint-path"]
        request_id = f"{next(self.numbers):032x}"
        gone = "java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory"
        known = self.stored.pop(path, None)
        self.complete(request_id, {} if known else failure(f"{gone} '{path}'"))
        return 200, {"request-id": request_id}

    def _disposal(self, request: httpx.Request, request_id: str) -> tuple[int, Any]:
        return self._operation(request, "", request_id)


def _unknown(job_id: str) -> str:
    exception = "org.apache.flink.runtime.messages.FlinkJobNotFoundException"
    return f"Caused by: {exception}: Could not find Flink job ({job_id})"


def _no_such_call(method: str, path: str) -> httpx.Response:
    """As Flink's router, and as the files of its dashboard, which take every other GET."""
    text = f"Unable to load requested file {path}." if method == "GET" else f"Not found: {path}"
    return httpx.Response(404, json={"errors": [text]})


def _details(job: Job) -> dict[str, Any]:
    running, total = (2, 2) if job.tasks_running else (0, 2)
    return {
        "jid": job.job_id,
        "name": job.name,
        "state": job.state,
        "start-time": int(job.started_at * 1000),
        "end-time": -1 if job.ended_at is None else int(job.ended_at * 1000),
        "duration": 0,
        "tasks": {"total": total, "running": running, "scheduled": total - running},
    }

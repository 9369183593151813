"""The AWS part: moto for most services, with a Glue that behaves as the service does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moto.backends import get_backend
from moto.ec2.models import ec2_backends
from moto.glue.models import glue_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app

from localcloud.aws.fault_commands import AwsFaultCommands, FaultTargets
from localcloud.aws.glue.api import GlueApi
from localcloud.aws.glue.connections import Connections
from localcloud.aws.glue.jobs import Jobs
from localcloud.aws.glue.run_engine import RunEngine
from localcloud.aws.glue.runs import Runs
from localcloud.aws.glue.settings import GlueSettings
from localcloud.aws.glue.timeline import Timeline
from localcloud.aws.job_logs import JobLogs
from localcloud.aws.network import Network
from localcloud.aws.operations import (
    SERVICES,
    body_of,
    catalogue,
    is_served,
    operation_of,
    query_parameter,
    region_of,
    service_of,
)
from localcloud.aws.refusals import error_response, refuse
from localcloud.aws.script_runner import ScriptRunner
from localcloud.aws.seed import account
from localcloud.config import CloudConfig
from localcloud.part import Operation
from localcloud.serving import WsgiServer
from localcloud.wire import Environ, Wire, WsgiWire

_logger = logging.getLogger(__name__)

_LEFT_OUT = [
    "AWS: signatures and permissions are not checked; what a policy would refuse is served.",
    "AWS: nothing is kept over a restart except the account and its key.",
    "Glue: one region; requests signed for another one are refused.",
    "Glue: scripts run as plain Python; Spark, Scala and Ray jobs take time without running.",
    "Glue: auto scaling takes the maximum number of workers at once.",
    "Glue: job bookmarks, usage profiles, triggers and workflows start no runs.",
    "Glue: no rate limits of its own; use a throttle fault.",
    "Glue: NAT gateways, endpoints and security group rules are not checked.",
    "Glue: continuous logging and Spark's own logs; output and error logs are kept.",
]


class AwsPart:
    """EC2, Glue, IAM, CloudWatch Logs, S3 and STS on one endpoint.

    Args:
        config: State directory, port ``aws``, initial Glue timing.
        wire: The shared request log and fault book.
        settings: Glue's settings; without them, the defaults with the timing of ``config``.
    """

    name = "aws"

    def __init__(
        self, config: CloudConfig, wire: Wire, settings: GlueSettings | None = None
    ) -> None:
        self._config = config
        self._wire = wire
        self._settings = settings or GlueSettings(
            run_seconds=config.glue_timing.run_seconds,
            start_delay_seconds=config.glue_timing.start_delay_seconds,
            release_lag_seconds=config.glue_timing.release_lag_seconds,
        )
        self._faults = AwsFaultCommands(lambda: self._started().targets, self._settings)
        self._cloud: _Aws | None = None
        self._server: WsgiServer | None = None

    def start(self) -> None:
        """Serve; returns when requests are answered."""
        self._cloud = _Aws(self._config, self._settings, self.url)
        app = WsgiWire(self._cloud, self._wire, service_of, operation_of, refuse)
        self._server = WsgiServer(app, self._config.ports.get(self.name, 0))
        self._server.start()
        self._cloud.open()

    def stop(self) -> None:
        """End the scripts, the threads and the server."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._cloud is not None:
            self._cloud.close()
            self._cloud = None

    def url(self) -> str:
        """The endpoint of all services."""
        assert self._server is not None, "the AWS part is not started"
        return self._server.url

    def details(self) -> dict[str, Any]:
        """The account, for ``status``."""
        seeded = self._started().account
        return {
            "services": list(SERVICES),
            "accounts": {
                "aws": {
                    "endpoint_url": self.url(),
                    "region": seeded.region,
                    "account_id": seeded.account_id,
                    "access_key_id": seeded.access_key_id,
                    "secret_access_key": seeded.secret_access_key,
                }
            },
        }

    def operations(self) -> list[Operation]:
        """What is served."""
        return catalogue()

    def left_out(self) -> list[str]:
        """What is deliberately not done."""
        return list(_LEFT_OUT)

    def fault_commands(self) -> Mapping[str, Callable[..., Any]]:
        """Faults of zones, subnets and runs."""
        return self._faults.commands()

    def reset(self) -> None:
        """Zones up, subnets drained, live runs stopped, planned failures and timings undone."""
        self._faults.reset()

    def _started(self) -> _Aws:
        assert self._cloud is not None, "the AWS part is not started"
        return self._cloud


class _Aws:
    """Everything behind the endpoint, as a WSGI application."""

    def __init__(
        self, config: CloudConfig, settings: GlueSettings, endpoint_url: Callable[[], str]
    ) -> None:
        directory = config.part_dir("aws")
        self.account = account(directory)
        account_id, region = self.account.account_id, self.account.region
        # Moto's backends are plain dicts and lists; requests and runs take turns.
        self._moto_lock = threading.RLock()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._network = network = Network(ec2_backends[account_id][region], self._moto_lock)
        logs = JobLogs(logs_backends[account_id][region], self._moto_lock)
        self._scripts = ScriptRunner(
            s3_backends[account_id]["aws"],
            self._moto_lock,
            logs,
            self.account,
            directory / "scripts",
            endpoint_url,
        )
        self._timeline = Timeline()
        connections = Connections(self._timeline.now, network.subnet_exists)
        jobs = Jobs(connections, self._timeline, settings)
        runs = Runs(jobs, self._timeline, settings)
        runs.engine = RunEngine(
            self._timeline, settings, connections, network, self._scripts, runs.add
        )
        tags = glue_backends[account_id][region]
        self._glue = GlueApi(jobs, connections, runs, self._timeline, tags, region, account_id)
        self.targets = FaultTargets(network, runs.engine, runs)

    def open(self) -> None:
        self._scripts.open()
        self._timeline.start()

    def close(self) -> None:
        self._timeline.stop()
        self._scripts.close()
        with self._moto_lock:
            _forget(self.account.account_id)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        service, operation = service_of(environ), operation_of(environ)
        body_of(environ)
        if service not in SERVICES or not is_served(service, operation):
            message = f"The local cloud does not serve {service}:{operation}."
            code = "UnknownOperationException" if service in ("glue", "logs") else "InvalidAction"
            return error_response(service, code, message, 400)(environ, start_response)
        if service == "glue" and region_of(environ) != self.account.region:
            message = "The security token included in the request is invalid."
            refusal = error_response(service, "UnrecognizedClientException", message, 400)
            return refusal(environ, start_response)
        if service == "glue" and self._glue.serves(operation):
            return self._glue(environ, start_response)
        if operation == "CreateNetworkInterface" and self._is_subnet_full(environ):
            message = (
                "The specified subnet does not have enough free addresses to satisfy the request."
            )
            refusal = error_response(service, "InsufficientFreeAddressesInSubnet", message, 400)
            return refusal(environ, start_response)
        return self._ask_moto(environ, start_response)

    def _is_subnet_full(self, environ: Environ) -> bool:
        """Moto would count below 0."""
        subnet_id = query_parameter(environ, "SubnetId")
        is_known = subnet_id is not None and self._network.subnet_exists(subnet_id)
        return is_known and self._network.free_addresses(subnet_id) == 0

    def _ask_moto(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account.account_id
        try:
            with self._moto_lock:
                return self._moto(environ, start_response)
        except Exception:
            _logger.exception("moto failed")
            service = service_of(environ)
            answer = error_response(service, "InternalFailure", "moto failed; see the log", 500)
            return answer(environ, start_response)


def _forget(account_id: str) -> None:
    """Moto keeps its accounts for the whole process, and bucket names for all of them."""
    for service in SERVICES:
        backends = get_backend(service)
        if account_id in backends:
            backends[account_id].reset()
            del backends[account_id]

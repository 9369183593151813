"""What answers on the AWS endpoint: moto, and in front of it the Glue of this package.

Only requests that the account's own keys have signed get so far.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.backends import get_backend
from moto.ec2.models import ec2_backends
from moto.glue.models import glue_backends
from moto.logs.models import logs_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends

from localcloud.aws.access.access_keys import AccessKeys
from localcloud.aws.access.authentication import refusal, signed_request
from localcloud.aws.access.signature import verify
from localcloud.aws.access.signature_claim import NotAuthentic
from localcloud.aws.access.sts_sessions import StsSessions
from localcloud.aws.bucket_owner import is_owned_otherwise
from localcloud.aws.fault_commands import FaultTargets
from localcloud.aws.glue.api import GlueApi
from localcloud.aws.glue.connections import Connections
from localcloud.aws.glue.definitions.jobs import Jobs
from localcloud.aws.glue.runs.run_engine import RunEngine
from localcloud.aws.glue.runs.runs import Runs
from localcloud.aws.glue.settings import GlueSettings
from localcloud.aws.glue.timeline import Timeline
from localcloud.aws.logs.job_logs import JobLogs
from localcloud.aws.logs.log_pages import LogPages
from localcloud.aws.network import Network
from localcloud.aws.operations import (
    SERVICES,
    STS_SESSIONS,
    body_of,
    is_served,
    operation_of,
    query_parameter,
    region_of,
    service_of,
)
from localcloud.aws.refusals import error_response
from localcloud.aws.scripts.runner import ScriptRunner
from localcloud.aws.seed import account
from localcloud.aws.service_clock import ServiceClock
from localcloud.config import CloudConfig
from localcloud.web.wire import Environ, WsgiApp

_logger = logging.getLogger(__name__)

# Amazon's 2,600 machine images are made anew with each EC2, take longer than all the rest of it and
# stay in memory. Nothing here starts instances.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

_FULL = "The specified subnet does not have enough free addresses to satisfy the request."


class AwsServices:
    """The services of one account in one region.

    Args:
        config: Where the account and the scripts of live runs are kept.
        settings: Glue's settings.
        endpoint_url: The address that scripts talk to, known once this is served.
    """

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
        self._log_pages = LogPages(self._ask_moto, settings)
        self._clock = clock = ServiceClock()
        self._keys = AccessKeys(self.account, self._moto_lock, clock.now)
        self._sessions = StsSessions(self._keys, account_id)
        self.fault_targets = FaultTargets(network, runs.engine, runs, jobs, clock)

    def open(self) -> None:
        """Let runs move from now on."""
        self._scripts.open()
        self._timeline.start()

    def close(self) -> None:
        """End runs and scripts; forget everything but the account."""
        self._timeline.stop()
        self._scripts.close()
        with self._moto_lock:
            _forget(self.account.account_id)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        body_of(environ)
        try:
            verify(signed_request(environ), self._keys.find, self._clock.now())
        except NotAuthentic as refused:
            return refusal(refused, environ)(environ, start_response)
        return self._app(environ)(environ, start_response)

    def _app(self, environ: Environ) -> WsgiApp:
        service, operation = service_of(environ), operation_of(environ)
        if service not in SERVICES or not is_served(service, operation):
            message = f"The local cloud does not serve {service}:{operation}."
            code = "UnknownOperationException" if service in ("glue", "logs") else "InvalidAction"
            return error_response(service, code, message, 400)
        if service == "glue" and region_of(environ) != self.account.region:
            message = "The security token included in the request is invalid."
            return error_response(service, "UnrecognizedClientException", message, 400)
        if service == "glue" and self._glue.serves(operation):
            return self._glue
        if service == "sts" and operation in STS_SESSIONS:
            given = {name: query_parameter(environ, name) for name in ("DurationSeconds", "Name")}
            return self._sessions.answer(operation, given)
        if (service, operation) == ("logs", "GetLogEvents"):
            return self._log_pages
        if service == "ec2":
            return self._subnet_refusal(environ, operation) or self._ask_moto
        if service == "s3" and is_owned_otherwise(environ):
            return error_response(service, "AccessDenied", "Access Denied", 403)
        return self._ask_moto

    def _subnet_refusal(self, environ: Environ, operation: str) -> WsgiApp | None:
        """What EC2 refuses and moto does not: no address left, or addresses still in use."""
        if operation not in ("CreateNetworkInterface", "DeleteSubnet"):
            return None
        subnet_id = query_parameter(environ, "SubnetId") or ""
        subnet = self._network.state(subnet_id)
        if subnet is None:
            return None
        if operation == "CreateNetworkInterface" and subnet.free_addresses == 0:
            return error_response("ec2", "InsufficientFreeAddressesInSubnet", _FULL, 400)
        if operation == "DeleteSubnet" and self._network.is_in_use(subnet_id):
            message = f"The subnet '{subnet_id}' has dependencies and cannot be deleted."
            return error_response("ec2", "DependencyViolation", message, 400)
        return None

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

"""The AWS part of the local cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler

from localcloud.aws.fault_commands import AwsFaultCommands
from localcloud.aws.glue.settings import GlueSettings
from localcloud.aws.operations import SERVICES, catalogue, operation_of, service_of
from localcloud.aws.refusals import refuse
from localcloud.aws.services import AwsServices
from localcloud.config import CloudConfig
from localcloud.part import Operation
from localcloud.web.serving import WsgiServer
from localcloud.web.wire import Wire, WsgiWire

_LEFT_OUT = [
    "AWS: permissions are not checked; what a policy would refuse is served.",
    "AWS: every request must be signed, with Signature Version 4 or as a presigned URL of S3. Not "
    "served: what AWS accepts unsigned, such as public objects, forms with a POST policy, "
    "AssumeRoleWithSAML and AssumeRoleWithWebIdentity.",
    "AWS: nothing is kept over a restart except the account and its key.",
    "EC2: Amazon's own machine images.",
    "Glue: one region; requests signed for another one are refused.",
    "Glue: scripts run as plain Python; Spark, Scala and Ray jobs take time without running.",
    "Glue: auto scaling takes the maximum number of workers at once.",
    "Glue: all types of worker are there in every region, and as many as one likes.",
    "Glue: job bookmarks, usage profiles, triggers and workflows start no runs.",
    "Glue: no rate limits; use a throttle fault.",
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
            list_lag_seconds=config.glue_timing.list_lag_seconds,
        )
        self._faults = AwsFaultCommands(lambda: self._started().fault_targets, self._settings)
        self._services: AwsServices | None = None
        self._server: WsgiServer | None = None

    def start(self) -> None:
        """Serve; returns when requests are answered."""
        self._services = AwsServices(self._config, self._settings, self.url)
        app = WsgiWire(self._services, self._wire, service_of, operation_of, refuse)
        port = self._config.ports.get(self.name, 0)
        self._server = WsgiServer(app, port, handler=MotoRequestHandler)
        self._server.start()
        self._services.open()

    def stop(self) -> None:
        """End the scripts, the threads and the server."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._services is not None:
            self._services.close()
            self._services = None

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

    def _started(self) -> AwsServices:
        assert self._services is not None, "the AWS part is not started"
        return self._services

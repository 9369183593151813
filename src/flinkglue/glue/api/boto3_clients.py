"""The boto3 clients of one account: how often a call is sent, and how long it may take."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from flinkglue.clock.interruption import raise_if_interrupted
from flinkglue.glue.api.connection_reading import LOOKUP_THREADS
from flinkglue.glue.errors import translated

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_glue.client import GlueClient as Boto3GlueClient
    from mypy_boto3_logs.client import CloudWatchLogsClient
    from mypy_boto3_s3.client import S3Client

CALLS_BESIDE = 2  # the job's runs are read while its connections are


class Boto3Clients(NamedTuple):
    """A client for each service.

    `glue` sends what Glue itself has shown without the SDK's validation: a streaming job has a
    Timeout of 0, which the service takes and the SDK's model forbids. `glue_without_retries` sends
    each call once: StartJobRun has no idempotency token, so a repeated call can start a second run.
    """

    glue: Boto3GlueClient
    glue_without_retries: Boto3GlueClient
    ec2: EC2Client
    logs: CloudWatchLogsClient


def boto3_clients(
    session: boto3.Session, client_parameters: Mapping[str, Any] | None = None
) -> Boto3Clients:
    """Make the clients.

    Args:
        client_parameters: What every ``session.client`` call gets, for example ``endpoint_url``; a
            ``config`` among them wins over the defaults here.

    Raises:
        CallFailed: There is no region, or the profile does not exist.
    """
    from botocore.config import Config

    parameters, config = _configured(client_parameters)
    once = config.merge(Config(retries={"total_max_attempts": 1}))
    # Logs are for reading along: a service that is slow to show them must hold nothing up.
    brief = once.merge(Config(connect_timeout=3, read_timeout=5))
    # Free addresses are read under a lock that others wait for.
    prompt = config.merge(
        Config(
            connect_timeout=3,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": 2},
        )
    )
    with translated("AWS", "connect", "the AWS Credentials block"):
        clients = Boto3Clients(
            session.client(
                "glue", config=config.merge(Config(parameter_validation=False)), **parameters
            ),
            session.client("glue", config=once, **parameters),
            session.client("ec2", config=prompt, **parameters),
            session.client("logs", config=brief, **parameters),
        )
    for client in clients:
        client.meta.events.register("before-call", _before_call)
    return clients


def _before_call(**_: Any) -> None:
    raise_if_interrupted()


def s3_client(
    session: boto3.Session, client_parameters: Mapping[str, Any] | None = None
) -> S3Client:
    """The client for the scripts of jobs; see ``boto3_clients``."""
    parameters, config = _configured(client_parameters)
    with translated("AWS", "connect", "the AWS Credentials block"):
        return session.client("s3", config=config, **parameters)


def account_of(session: boto3.Session, client_parameters: Mapping[str, Any] | None = None) -> str:
    """The account that the credentials belong to, which no policy can forbid to read.

    Raises:
        CallFailed: STS did not answer. https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    parameters, config = _configured(client_parameters)
    with translated("AWS", "connect", "the AWS Credentials block"):
        sts = session.client("sts", config=config, **parameters)
    with translated("AWS STS", "GetCallerIdentity", "the account"):
        return sts.get_caller_identity()["Account"]


def _configured(client_parameters: Mapping[str, Any] | None) -> tuple[dict[str, Any], Config]:
    from botocore.config import Config

    parameters = dict(client_parameters or {})
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 6},
        max_pool_connections=LOOKUP_THREADS + CALLS_BESIDE,
        user_agent=_user_agent(),
    )
    return parameters, config.merge(parameters.pop("config", None) or Config())


def _user_agent() -> str:
    """Who calls, for CloudTrail. The SDK's own text would be put together twice for each call."""
    import boto3

    return f"flinkglue/{version('prefect-flink-glue')} Boto3/{boto3.__version__}"

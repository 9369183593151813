"""What ARM's HDInsight on AKS API speaks of, as values. Answers are read tolerantly. Pure.

API: https://learn.microsoft.com/rest/api/hdinsightonaks/cluster-jobs/list
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic.alias_generators import to_camel

from flinkglue.azure.names import RESOURCE_GROUP, RESOURCE_NAME

PUBLIC_AUTHORITY = "https://login.microsoftonline.com"


class ServicePrincipal(BaseModel):
    """An application that signs in to Entra ID with a secret."""

    model_config = ConfigDict(frozen=True)

    tenant_id: str
    client_id: str
    client_secret: SecretStr


class AccessToken(BaseModel):
    """A bearer token, wrapped so that it is printed nowhere.

    Args:
        token: The token.
        expires_on: When it ends, in UTC.
        client_id: Whose it is; None for the platform's own identity.
    """

    model_config = ConfigDict(frozen=True)

    token: SecretStr
    expires_on: datetime
    client_id: str | None = None


@dataclass(frozen=True)
class FlinkClusterId:
    """Where a cluster lies in Azure.

    Raises:
        InvalidInput: A part is empty or has characters that no such name can have.
    """

    subscription_id: str
    resource_group: str
    cluster_pool_name: str
    cluster_name: str

    def __post_init__(self) -> None:
        for name in ("subscription_id", "cluster_pool_name", "cluster_name"):
            RESOURCE_NAME.require(name, getattr(self, name))
        RESOURCE_GROUP.require("resource_group", self.resource_group)

    @property
    def resource_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.HDInsight/clusterpools/{self.cluster_pool_name}"
            f"/clusters/{self.cluster_name}"
        )

    def __str__(self) -> str:
        return f"{self.cluster_pool_name}/{self.cluster_name}"


@dataclass(frozen=True)
class ArmFlinkJob:
    """A row of the jobs list; ``job_name`` is ARM's ``jobName``, and so on.

    Rows without status, id or anything else do occur.
    """

    job_name: str | None = None
    run_id: str | None = None
    job_id: str | None = None
    action: str | None = None
    status: str | None = None
    action_result: str | None = None
    job_output: str | None = None
    jar_name: str | None = None
    last_save_point: str | None = None
    job_jar_directory: str | None = None
    entry_class: str | None = None
    args: str | None = None
    flink_configuration: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: object) -> ArmFlinkJob:
        """Read a row; whatever is missing or of another kind is None."""
        properties = mapping(mapping(row).get("properties"))
        given = {each.name: properties.get(to_camel(each.name)) for each in fields(cls)}
        settings = mapping(given.pop("flink_configuration"))
        texts = {name: _text(value) for name, value in given.items()}
        return cls(**texts, flink_configuration=_texts(settings))

    @property
    def is_ghost(self) -> bool:
        """Whether the row shows that an action was requested, and nothing about the job."""
        return self.job_id is None and self.status is None and self.job_output is None


@dataclass(frozen=True)
class ArmCluster:
    """A cluster as ARM describes it.

    Args:
        provisioning_state: Accepted, Succeeded, Failed, Canceled or what else ARM says.
        web_fqdn: The host of the cluster's own web pages, the Flink dashboard among them.
        deployment_mode: Application or Session.
        oss_version: Flink's version.
    """

    provisioning_state: str | None
    status: str | None
    web_fqdn: str | None
    deployment_mode: str | None
    oss_version: str | None

    @classmethod
    def from_resource(cls, resource: object) -> ArmCluster:
        """Read the answer of Clusters Get; whatever is missing is None."""
        properties = mapping(mapping(resource).get("properties"))
        profile = mapping(properties.get("clusterProfile"))
        connectivity = profile.get("connectivityProfile") or properties.get("connectivityProfile")
        web = mapping(mapping(connectivity).get("web"))
        return cls(
            _text(properties.get("provisioningState")),
            _text(properties.get("status")),
            _text(web.get("fqdn")),
            _text(mapping(profile.get("flinkProfile")).get("deploymentMode")),
            _text(profile.get("ossVersion")),
        )

    @property
    def is_application(self) -> bool:
        """Whether it was made for one job, which lives and ends with it."""
        return (self.deployment_mode or "").lower() == "application"


@dataclass(frozen=True)
class Operation:
    """A long-running operation.

    Args:
        url: Where to look, verbatim as ARM gave it; None when ARM gave none.
        status: Accepted, Succeeded, Failed, Canceled or what else ARM says.
    """

    url: str | None
    status: str | None = None
    code: str | None = None
    message: str | None = None

    @classmethod
    def from_answer(cls, url: str | None, answer: object) -> Operation:
        """Read a poll's answer; the body may be ``null``."""
        error = mapping(mapping(answer).get("error"))
        return cls(
            url,
            _text(mapping(answer).get("status")),
            _text(error.get("code")),
            _text(error.get("message")),
        )

    @property
    def succeeded(self) -> bool:
        return (self.status or "").lower() == "succeeded"

    @property
    def failed(self) -> bool:
        return (self.status or "").lower() in ("failed", "canceled", "cancelled")


# Ends from which a job does not come back by itself, in ARM's and in Flink's spelling.
FAILED_STATES = frozenset({"FAILED", "JOB_LAUNCH_FAILED", "LAUNCH_FAILED"})
ENDED_BY_SOMEBODY = frozenset({"CANCELED", "CANCELLED", "STOPPED", "DELETED"})
FINISHED = "FINISHED"
ENDED_STATES = FAILED_STATES | ENDED_BY_SOMEBODY | {FINISHED}


def choose_row(rows: Sequence[ArmFlinkJob], job_name: str) -> ArmFlinkJob | None:
    """The row with most content about the job of that name.

    The service does not enforce unique names and lists rows without content: a row that names
    Flink's job id is preferred to one that does not, and a live job to an ended one.
    """
    named = [row for row in rows if (row.job_name or "").lower() == job_name.lower()]
    return max(named, key=_telling, default=None)


def plain_status(status: str | None) -> str:
    """A status in one spelling; the service writes both STOP-FAILED and JOB_LAUNCH_FAILED."""
    return (status or "").strip().upper().replace("-", "_")


def _telling(row: ArmFlinkJob) -> tuple[bool, bool, bool]:
    return (row.job_id is not None, not row.is_ghost, plain_status(row.status) not in ENDED_STATES)


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object of an answer; empty where there is something else."""
    return value if isinstance(value, Mapping) else {}


def _texts(values: Mapping[Any, Any]) -> dict[str, str]:
    return {k: v for k, v in values.items() if isinstance(k, str) and isinstance(v, str)}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

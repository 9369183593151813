"""The sample job on the local HDInsight on AKS: ARM, storage and a real Flink, without Prefect."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from azure.storage.blob import BlobServiceClient
from pydantic import SecretStr

from flinkglue.azure.arm.client import PUBLIC_ENDPOINT, ArmClient, token_scope
from flinkglue.azure.identity import KeptToken, fetch_token
from flinkglue.azure.jobs.backend import ArmBackend
from flinkglue.azure.models import AccessToken, FlinkClusterId, ServicePrincipal
from flinkglue.azure.storage.abfs_files import AbfsFiles
from flinkglue.blocks.arm_backend import arm_backend
from flinkglue.clock import SystemClock
from flinkglue.flink.jars.sources import JarSource
from flinkglue.flink.state.storage import StateStorage, local_files
from flinkglue.http.auth import RenewedToken
from flinkglue.lifecycle.models import JobSpec
from localcloud.client import LocalCloud
from localcloud.flink.access import FlinkAccess
from tests.scenario.lifecycle.real_lifecycle import JARS, QUICK, RealJob, main

_LIST_LAG_SECONDS = 15  # the local cloud's list does not lag, but its Flink may be slow


def administrator_token(cloud: LocalCloud) -> AccessToken:
    azure = cloud.azure
    principal = ServicePrincipal(
        tenant_id=azure["tenant_id"],
        client_id=azure["administrator"]["client_id"],
        client_secret=SecretStr(azure["administrator"]["client_secret"]),
    )
    return fetch_token(
        principal,
        token_scope(PUBLIC_ENDPOINT),
        authority=azure["authority"],
        ca_file=cloud.status()["ca_file"],
    )


def arm_client(
    cloud: LocalCloud, transport: httpx.BaseTransport | None = None, reads_for_seconds: float = 60
) -> ArmClient:
    """ARM as the platform's administrator."""
    kept = KeptToken(lambda: administrator_token(cloud))
    return ArmClient(
        RenewedToken(kept.get, kept.renew),
        arm_endpoint=cloud.azure["arm_endpoint"],
        verify=_trusted(cloud),
        reads_for_seconds=reads_for_seconds,
        transport=transport,
    )


def _trusted(cloud: LocalCloud) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=cloud.status()["ca_file"])


def cluster_id(cloud: LocalCloud, cluster_name: str | None = None) -> FlinkClusterId:
    azure = cloud.azure
    return FlinkClusterId(
        azure["subscription_id"],
        azure["resource_group"],
        azure["cluster_pool_name"],
        cluster_name or azure["cluster_name"],
    )


@contextmanager
def storage(cloud: LocalCloud) -> Iterator[BlobServiceClient]:
    connection = cloud.azure["storage_connection_string"]
    with BlobServiceClient.from_connection_string(connection) as service:
        yield service


def upload(cloud: LocalCloud, jar: str, blob_name: str) -> str:
    """Put a sample jar into the container, and return its address."""
    with storage(cloud) as service:
        blob = service.get_blob_client(cloud.azure["container"], blob_name)
        blob.upload_blob((JARS / jar).read_bytes(), overwrite=True)
    return f"{cloud.azure['jar_directory']}/{blob_name}"


class ArmJob(RealJob):
    """One stateful sample job on the local HDInsight on AKS.

    Args:
        cloud: The local cloud.
        directory: The journal and the job's output lie below it.
        job_name: Its name; the jars lie in a directory of that name.
        sees_flink: Whether the cluster's JobManager can be reached.
        cluster_name: None: the seeded session cluster.
        flink: The JobManager of that cluster; None: of the session cluster.
        arm: ARM; None: as the administrator reaches it.
    """

    module = "tests.scenario.lifecycle.real_arm"

    def __init__(
        self,
        cloud: LocalCloud,
        directory: Path,
        job_name: str | None = None,
        *,
        sees_flink: bool = True,
        cluster_name: str | None = None,
        flink: FlinkAccess | None = None,
        arm: ArmClient | None = None,
    ) -> None:
        name = job_name or f"orders-{uuid.uuid4().hex[:8]}"
        super().__init__(flink or cloud.flink, directory, name)
        # The pods' /tmp lies in the image directory.
        image_root = Path(cloud.status()["parts"]["flink"]["image_root"])
        self.output = image_root / "tmp" / f"{name}.txt"
        self.place = str(cloud.state.path)
        self.cloud = cloud
        self.arm = arm or arm_client(cloud)
        self.cluster_id = cluster_id(cloud, cluster_name)
        self.flink_backend = self.backend
        self.backend: Any = self._arm_backend(sees_flink)

    def _arm_backend(self, sees_flink: bool) -> ArmBackend:
        jars = JarSource({"abfs": self._fetch})
        flink = self.client if sees_flink else None
        lists = StateStorage({"file": local_files})
        return arm_backend(
            self.arm,
            self.cluster_id,
            jars,
            flink,
            lists,
            SystemClock(),
            pace=QUICK,
            list_lag_seconds=_LIST_LAG_SECONDS,
        )

    def _fetch(self, uri: str, path: Path) -> None:
        with storage(self.cloud) as service:
            AbfsFiles(service).fetch(uri, path)

    def spec(self, jar: str = "StatefulCount.jar", label: str = "v1", *args: str) -> JobSpec:
        """As it lies in storage, each release at an address of its own."""
        local = super().spec(jar, label, *args)
        in_the_pod = f"/tmp/{self.output.name}"
        args = tuple(in_the_pod if arg == str(self.output) else arg for arg in local.args)
        uri = upload(self.cloud, jar, f"{self.job_name}/{Path(jar).name}")
        return replace(local, args=args, jar=replace(local.jar, uri=uri))

    def through(self, transport: httpx.BaseTransport) -> ArmJob:
        """The same job, with this transport before ARM."""
        arm = arm_client(self.cloud, transport, reads_for_seconds=3)
        return ArmJob(self.cloud, self.directory, self.job_name, arm=arm)

    def network(self) -> httpx.BaseTransport:
        """The way to ARM without anything between."""
        return httpx.HTTPTransport(verify=_trusted(self.cloud), trust_env=False)

    def close(self) -> None:
        super().close()
        self.arm.close()


def open_job(state_dir: str, directory: Path, job_name: str) -> ArmJob:
    """The job in the local cloud of a state directory."""
    return ArmJob(LocalCloud(Path(state_dir)), directory, job_name)


if __name__ == "__main__":
    main(open_job)

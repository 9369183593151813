"""The web address of a cluster: who is let in, by the block and by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_sign_in import EntraServicePrincipal
from flinkglue.errors import AuthenticationFailed, InvalidInput
from localcloud.azure.arm.web import cluster_web
from localcloud.azure.parts import AzureAccount
from localcloud.azure.seed import ServicePrincipal
from localcloud.flink.door import FlinkDoor, Visitors
from localcloud.web.serving import AsgiServer
from tests.contract.azure.azure_account import account_in, credential

HILO = "https://hilo.azurehdinsight.net/.default"
OVERVIEW = {"flink-version": "1.17.0", "taskmanagers": 1, "slots-total": 4, "slots-available": 4}


@dataclass
class ClusterWeb:
    """A cluster's address with a Flink behind it that only says how it is."""

    account: AzureAccount
    visitors: Visitors
    seen: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        url: str = self.account.arm.details()["accounts"]["azure"]["cluster_web_url"]
        return url

    def block(self, principal: ServicePrincipal, **fields: Any) -> HDInsightFlinkCluster:
        seed, ca_file = self.account.seed, str(self.account.authority.ca_file)
        known = {
            "subscription_id": seed.subscription_id,
            "resource_group": seed.resource_group,
            "cluster_pool_name": seed.cluster_pool_name,
            "cluster_name": seed.cluster_name,
            "credentials": EntraServicePrincipal(
                tenant_id=seed.tenant_id,
                client_id=principal.client_id,
                client_secret=principal.client_secret,
                authority=self.account.entra.url(),
                ca_file=ca_file,
            ),
            "flink_rest_url": self.url,
            "flink_sign_in": "entra",
        }
        return HDInsightFlinkCluster(**{**known, **fields})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterWeb]:
    visitors = Visitors("flinks-own-token")
    seen: list[dict[str, str]] = []

    async def overview(request: Request) -> Response:
        seen.append(dict(request.headers))
        return JSONResponse(OVERVIEW)

    flink = AsgiServer(FlinkDoor(Starlette(routes=[Route("/overview", overview)]), visitors))
    flink.start()
    account = account_in(
        tmp_path_factory.mktemp("azure"),
        web=partial(cluster_web, lambda: flink.url, visitors, Path("/image")),
    )
    account.entra.start()
    account.arm.start()
    yield ClusterWeb(account, visitors, seen)
    account.arm.stop()
    account.entra.stop()
    flink.stop()


def version_seen_by(block: HDInsightFlinkCluster) -> str:
    client = block.get_flink_client()
    assert client is not None
    with client:
        return client.overview().flink_version


def test_the_block_signs_in_as_a_user_of_the_cluster(cluster: ClusterWeb) -> None:
    """Also after its token has ended in the meantime; Flink itself sees no token of Entra ID."""
    client = cluster.block(cluster.account.seed.contributor).get_flink_client()
    assert client is not None
    with client:
        assert client.overview().flink_version == "1.17.0"
        cluster.account.tokens.expire_all()
        assert client.overview().flink_version == "1.17.0"
    assert "authorization" not in cluster.seen[-1]


def test_others_are_not_let_in(cluster: ClusterWeb) -> None:
    """Nobody, somebody of the tenant, and a token that is for something else."""
    account = cluster.account
    with pytest.raises(AuthenticationFailed):
        version_seen_by(cluster.block(account.seed.contributor, flink_sign_in="none"))
    with pytest.raises(AuthenticationFailed):
        version_seen_by(cluster.block(account.seed.reader))
    with credential(account, account.seed.contributor) as signed_in:
        for_arm = signed_in.get_token("https://management.azure.com/.default").token
        for_clusters = signed_in.get_token(HILO).token
    bearer = {"Authorization": f"Bearer {for_arm}"}
    assert httpx.get(f"{cluster.url}/overview", headers=bearer).status_code == 401
    bearer = {"Authorization": f"Bearer {for_clusters}"}
    assert httpx.get(f"{cluster.url}/overview", headers=bearer).json() == OVERVIEW


@pytest.mark.parametrize(
    "url",
    [
        "http://flink1.pool1.westus2.hdinsightaks.net",
        "https://hdinsightaks.net.example.com",
        "https://nothdinsightaks.net",
        "https://flink.example.com",
    ],
)
def test_the_token_goes_to_clusters_alone(cluster: ClusterWeb, url: str) -> None:
    """A run's parameter may name another address than the block's."""
    block = cluster.block(cluster.account.seed.contributor)
    elsewhere = block.at(block.cluster_id, flink_rest_url=url)
    cluster.account.tokens.expire_all()
    with pytest.raises(InvalidInput, match=r"flink_rest_url.*hdinsightaks\.net"):
        elsewhere.get_flink_client()

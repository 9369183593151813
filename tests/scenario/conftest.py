"""One whole local cloud for all scenarios, reset before each; the deployed project on top."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from localcloud.client import LocalCloud
from scripts.demo_run import prepare
from scripts.prefect_stack import PrefectStack


@dataclass(frozen=True)
class Platform:
    """The local cloud with the project deployed on a Prefect server beside it."""

    cloud: LocalCloud
    prefect: PrefectStack

    def run(self, deployment: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Run a deployment to its end."""
        return self.prefect.wait_for(self.prefect.run_deployment(deployment, parameters))

    @property
    def published_parameters(self) -> dict[str, str]:
        """The published JSON of the word count, with the values of this cloud."""
        azure = self.cloud.azure
        return {
            "jarName": "WordCount.jar",
            "jarDirectory": azure["jar_directory"],
            "subscription": azure["subscription_id"],
            "rg": azure["resource_group"],
            "poolNm": azure["cluster_pool_name"],
            "clusterNm": azure["cluster_name"],
        }


@pytest.fixture(scope="session")
def local_cloud(
    tmp_path_factory: pytest.TempPathFactory, until_folder_ends: ExitStack
) -> LocalCloud:
    """With everything that it can run, for all scenarios."""
    # With a space, as home directories have it: Flink's paths must bear that.
    state_dir = tmp_path_factory.mktemp("local cloud")
    return until_folder_ends.enter_context(LocalCloud.up(state_dir))


@pytest.fixture
def cloud(local_cloud: LocalCloud) -> LocalCloud:
    """The local cloud with no faults and no recorded requests."""
    local_cloud.reset()
    return local_cloud


@pytest.fixture(scope="session")
def deployed(
    local_cloud: LocalCloud,
    tmp_path_factory: pytest.TempPathFactory,
    until_folder_ends: ExitStack,
) -> Platform:
    """What the README's steps lead to: blocks, deployments, a worker, the sample resources."""
    prefect = PrefectStack(tmp_path_factory.mktemp("prefect"))
    until_folder_ends.callback(prefect.stop)
    prefect.start_server()
    prepare(local_cloud, prefect)
    platform = Platform(local_cloud, prefect)
    uploaded = platform.run(
        "flink-jar-upload/flink-jar-upload",
        {
            "jar_path": "jobs/flink/WordCount.jar",
            "jar_directory": local_cloud.azure["jar_directory"],
        },
    )
    assert uploaded["state_type"] == "COMPLETED", prefect.logs(uploaded["id"])
    return platform


@pytest.fixture
def platform(deployed: Platform) -> Platform:
    """The deployed project on a cloud with no faults and no recorded requests."""
    deployed.cloud.reset()
    return deployed

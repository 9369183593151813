"""The ARM emulator, used by Microsoft's own client of HDInsight on AKS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.hdinsightcontainers import HDInsightContainersMgmtClient
from azure.mgmt.hdinsightcontainers.models import (
    AuthorizationProfile,
    Cluster,
    ClusterJob,
    ClusterPatch,
    ClusterPool,
    ClusterPoolResourceProperties,
    ClusterPoolResourcePropertiesComputeProfile,
    ClusterProfile,
    ClusterResizeData,
    ClusterResizeProperties,
    ClusterResourceProperties,
    ComputeProfile,
    ComputeResourceDefinition,
    FlinkJobProfile,
    FlinkJobProperties,
    FlinkProfile,
    FlinkStorageProfile,
    NameAvailabilityParameters,
    NodeProfile,
    TagsObject,
)

from localcloud.azure.parts import AzureAccount
from localcloud.azure.seed import ServicePrincipal
from localcloud.azure.timings import AzureTimings
from localcloud.web.wire import Wire
from tests.contract.azure.azure_account import STORAGE_URI, Jars, account_in, credential
from tests.contract.flink.fake_flink import FakeFlink

NODE_SIZE = "Standard_D8ds_v5"


@pytest.fixture
def flink() -> FakeFlink:
    return FakeFlink()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def account(
    tmp_path_factory: pytest.TempPathFactory, flink: FakeFlink, wire: Wire
) -> Iterator[AzureAccount]:
    account = account_in(
        tmp_path_factory.mktemp("state"),
        wire,
        jars=Jars({(STORAGE_URI, "WordCount.jar"): b"a jar"}),
        flink_for=flink,
        timings=AzureTimings(provisioning_seconds=0.2, deletion_seconds=0.2, operation_seconds=0.1),
    )
    account.entra.start()
    account.arm.start()
    yield account
    account.arm.stop()
    account.entra.stop()


def connect(account: AzureAccount, principal: ServicePrincipal) -> HDInsightContainersMgmtClient:
    return HDInsightContainersMgmtClient(
        credential(account, principal),
        account.seed.subscription_id,
        base_url=account.arm.url(),
        credential_scopes=["https://management.azure.com/.default"],
        connection_verify=str(account.authority.ca_file),
        polling_interval=0.05,
    )


@pytest.fixture
def admin(account: AzureAccount) -> Iterator[HDInsightContainersMgmtClient]:
    with connect(account, account.seed.administrator) as client:
        yield client


@pytest.fixture
def contributor(account: AzureAccount) -> Iterator[HDInsightContainersMgmtClient]:
    with connect(account, account.seed.contributor) as client:
        yield client


def new_pool() -> ClusterPool:
    return ClusterPool(
        location="westus3",
        tags={"team": "data"},
        properties=ClusterPoolResourceProperties(
            compute_profile=ClusterPoolResourcePropertiesComputeProfile(vm_size=NODE_SIZE)
        ),
    )


def new_cluster(**flink_profile: object) -> Cluster:
    size = ComputeResourceDefinition(cpu=1, memory=2000)
    profile: dict[str, object] = {
        "storage": FlinkStorageProfile(storage_uri=STORAGE_URI, storagekey="a storage key"),
        "job_manager": size,
        "task_manager": size,
    }
    return Cluster(
        location="westus3",
        properties=ClusterResourceProperties(
            cluster_type="Flink",
            compute_profile=ComputeProfile(
                nodes=[
                    NodeProfile(type="Head", vm_size=NODE_SIZE, count=2),
                    NodeProfile(type="Worker", vm_size=NODE_SIZE, count=3),
                ]
            ),
            cluster_profile=ClusterProfile(
                cluster_version="1.2.0",
                oss_version="1.17.0",
                authorization_profile=AuthorizationProfile(user_ids=["someone"]),
                flink_profile=FlinkProfile(**(profile | flink_profile)),
            ),
        ),
    )


def word_count(job_name: str, **changes: object) -> ClusterJob:
    properties: dict[str, object] = {
        "job_name": job_name,
        "action": "NEW",
        "job_jar_directory": STORAGE_URI,
        "jar_name": "WordCount.jar",
        "entry_class": "org.apache.flink.examples.java.wordcount.WordCount",
        "args": "--input /opt/flink/LICENSE --output /tmp/counts",
        "flink_configuration": {"parallelism": "2"},
    }
    return ClusterJob(properties=FlinkJobProperties(**(properties | changes)))


def test_a_pool_lives_from_put_to_delete(
    account: AzureAccount, admin: HDInsightContainersMgmtClient
) -> None:
    """Created, read, tagged, listed beside the seeded one, deleted."""
    group = account.seed.resource_group
    pool = admin.cluster_pools.begin_create_or_update(group, "pool-b", new_pool()).result()
    assert pool.properties.provisioning_state == "Succeeded"
    assert pool.tags == {"team": "data"}
    assert pool.properties.aks_cluster_profile is not None
    tagged = admin.cluster_pools.begin_update_tags(
        group, "POOL-B", TagsObject(tags={"team": "ops"})
    ).result()
    assert tagged.tags == {"team": "ops"}
    names = {pool.name for pool in admin.cluster_pools.list_by_resource_group(group)}
    assert names == {"pool-b", account.seed.cluster_pool_name}
    assert names == {pool.name for pool in admin.cluster_pools.list_by_subscription()}
    admin.cluster_pools.begin_delete(group, "pool-b").result()
    with pytest.raises(ResourceNotFoundError, match=r"\(ResourceNotFound\).*clusterPools/pool-b"):
        admin.cluster_pools.get(group, "pool-b")


def test_a_cluster_lives_from_put_to_delete(
    account: AzureAccount, admin: HDInsightContainersMgmtClient
) -> None:
    """Created, read without its storage key, resized, patched, listed, deleted."""
    path = (account.seed.resource_group, account.seed.cluster_pool_name, "flink-b")
    cluster = admin.clusters.begin_create(*path, new_cluster()).result()
    assert cluster.properties.provisioning_state == "Succeeded"
    assert cluster.properties.cluster_profile.connectivity_profile.web.fqdn.startswith("flink-b.")
    assert cluster.properties.cluster_profile.flink_profile.deployment_mode == "Session"
    assert cluster.properties.cluster_profile.flink_profile.storage.storagekey is None
    admin.clusters.begin_resize(
        *path,
        ClusterResizeData(
            location="westus3", properties=ClusterResizeProperties(target_worker_node_count=5)
        ),
    ).result()
    nodes = admin.clusters.get(*path).properties.compute_profile.nodes
    assert [(node.type, node.count) for node in nodes] == [("Head", 2), ("Worker", 5)]
    patched = admin.clusters.begin_update(*path, ClusterPatch(tags={"team": "ops"})).result()
    assert patched.tags == {"team": "ops"}
    listed = admin.clusters.list_by_cluster_pool_name(*path[:2])
    assert {cluster.name for cluster in listed} == {"flink-b", account.seed.cluster_name}
    admin.clusters.begin_delete(*path).result()
    with pytest.raises(ResourceNotFoundError, match="ResourceNotFound"):
        admin.clusters.get(*path)


def test_a_second_put_updates_the_cluster(
    account: AzureAccount, admin: HDInsightContainersMgmtClient
) -> None:
    """Same name in other case: no second cluster; what is fixed at creation stays fixed."""
    group, pool = account.seed.resource_group, account.seed.cluster_pool_name
    admin.clusters.begin_create(group, pool, "flink-b", new_cluster()).result()
    changed = new_cluster()
    changed.tags = {"again": "yes"}
    again = admin.clusters.begin_create(group, pool, "FLINK-B", changed).result()
    assert (again.name, again.tags) == ("flink-b", {"again": "yes"})
    assert len(list(admin.clusters.list_by_cluster_pool_name(group, pool))) == 2
    job_spec = FlinkJobProfile(
        job_jar_directory=STORAGE_URI, jar_name="WordCount.jar", upgrade_mode="UPDATE"
    )
    with pytest.raises(HttpResponseError, match="deploymentMode: cannot be changed"):
        admin.clusters.begin_create(
            group,
            pool,
            "flink-b",
            new_cluster(deployment_mode="Application", job_spec=job_spec),
        )


def test_a_bad_cluster_is_refused_with_every_problem_named(
    account: AzureAccount, admin: HDInsightContainersMgmtClient
) -> None:
    """Memory below 1,800 MB, an unknown version pair and a wrong storage URI, in one answer."""
    cluster = new_cluster(
        job_manager=ComputeResourceDefinition(cpu=1, memory=1799),
        storage=FlinkStorageProfile(storage_uri="https://account/container"),
    )
    cluster.properties.cluster_profile.oss_version = "9.9.9"
    with pytest.raises(HttpResponseError) as caught:
        admin.clusters.begin_create(
            account.seed.resource_group, account.seed.cluster_pool_name, "bad", cluster
        )
    assert caught.value.status_code == 400
    assert caught.value.error is not None
    assert [detail.target.rsplit(".", 1)[-1] for detail in caught.value.error.details] == [
        "clusterVersion",
        "storageUri",
        "memory",
    ]


def test_a_pool_with_clusters_is_not_deleted(
    account: AzureAccount, admin: HDInsightContainersMgmtClient
) -> None:
    """409 names them."""
    with pytest.raises(HttpResponseError, match=account.seed.cluster_name) as caught:
        admin.cluster_pools.begin_delete(
            account.seed.resource_group, account.seed.cluster_pool_name
        )
    assert caught.value.status_code == 409


def test_health_configuration_and_versions(
    account: AzureAccount, admin: HDInsightContainersMgmtClient, flink: FakeFlink
) -> None:
    """The instance view follows the JobManager; the version list has the pairs that PUT takes."""
    seed = account.seed
    path = (seed.resource_group, seed.cluster_pool_name, seed.cluster_name)
    view = admin.clusters.get_instance_view(*path)
    assert (view.properties.status.ready, view.properties.service_statuses[0].ready) == (
        "True",
        "true",
    )
    flink.is_down = True
    assert next(iter(admin.clusters.list_instance_views(*path))).properties.status.ready == "False"
    config = next(iter(admin.clusters.list_service_configs(*path)))
    assert config.properties.file_name == "flink-conf.yaml"
    assert config.properties.default_keys["execution.checkpointing.interval"].value == "60000"
    versions = list(admin.available_cluster_versions.list_by_location(seed.location))
    assert ("1.17.0", "1.2.0") in {
        (v.properties.oss_version, v.properties.cluster_version) for v in versions
    }
    pools = admin.available_cluster_pool_versions.list_by_location(seed.location)
    assert "1.2" in {version.properties.cluster_pool_version for version in pools}


@pytest.mark.parametrize(
    ("name", "available", "reason"),
    [("free-pool/free", True, None), ("taken", False, "AlreadyExists"), ("-/x", False, "Invalid")],
)
def test_name_availability(
    account: AzureAccount,
    admin: HDInsightContainersMgmtClient,
    name: str,
    available: bool,
    reason: str | None,
) -> None:
    """Free, taken, or not a name at all."""
    seed = account.seed
    if name == "taken":
        name = f"{seed.cluster_pool_name}/{seed.cluster_name.upper()}"
    answer = admin.locations.check_name_availability(
        seed.location,
        NameAvailabilityParameters(name=name, type="Microsoft.HDInsight/clusterPools/clusters"),
    )
    assert (answer.name_available, answer.reason) == (available, reason)


def test_the_contributor_runs_a_job_and_finds_it_by_name(
    account: AzureAccount,
    contributor: HDInsightContainersMgmtClient,
    flink: FakeFlink,
    wire: Wire,
) -> None:
    """Submitted as sent: args split, pod paths mapped, parallelism a number, the jar cleaned up."""
    seed = account.seed
    path = (seed.resource_group, seed.cluster_pool_name, seed.cluster_name)
    contributor.cluster_jobs.begin_run_job(*path, word_count("word-count-1")).result()
    contributor.cluster_jobs.begin_run_job(*path, word_count("word-count-2")).result()
    (job,) = contributor.cluster_jobs.list(*path, filter="jobName eq word-count-1")
    assert job.properties.status == "RUNNING"
    assert job.properties.job_output == "Flink internal job status : RUNNING"
    assert job.properties.action_result == "SUCCESS"
    run = next(body for body in flink.runs if body["jobId"] == job.properties.job_id)
    assert run["programArgsList"] == [
        "--input",
        "/image/opt/flink/LICENSE",
        "--output",
        "/image/tmp/counts",
    ]
    assert run["parallelism"] == 2
    assert flink.uploads == []
    assert len(list(contributor.cluster_jobs.list(*path, filter="jarName eq WordCount.jar"))) == 2
    recorded = wire.requests.find("arm", "ClusterJobs_RunJob")
    assert [request.detail["job_name"] for request in recorded] == ["word-count-1", "word-count-2"]


def test_the_list_shows_what_flink_says_now(
    account: AzureAccount, contributor: HDInsightContainersMgmtClient, flink: FakeFlink
) -> None:
    """A finished job is FINISHED; while Flink does not answer, the last word stands."""
    seed = account.seed
    path = (seed.resource_group, seed.cluster_pool_name, seed.cluster_name)
    contributor.cluster_jobs.begin_run_job(*path, word_count("word-count")).result()
    flink.states = dict.fromkeys(flink.states, "FINISHED")
    (job,) = contributor.cluster_jobs.list(*path)
    assert job.properties.status == "FINISHED"
    flink.is_down = True
    (job,) = contributor.cluster_jobs.list(*path)
    assert job.properties.status == "FINISHED"


@pytest.mark.parametrize(
    ("changes", "refusal", "words"),
    [
        ({"jar_name": "Missing.jar"}, None, "Missing.jar does not exist"),
        (
            {},
            "org.apache.flink.client.program.ProgramInvocationException: main failed\n"
            "Caused by: java.lang.IllegalStateException: no input today",
            "IllegalStateException: no input today",
        ),
    ],
)
def test_a_job_that_cannot_be_launched_says_why_in_its_row(
    account: AzureAccount,
    contributor: HDInsightContainersMgmtClient,
    flink: FakeFlink,
    changes: dict[str, object],
    refusal: str | None,
    words: str,
) -> None:
    """The operation succeeds, as in the real service: only the row tells the failure."""
    flink.refusal = refusal
    seed = account.seed
    path = (seed.resource_group, seed.cluster_pool_name, seed.cluster_name)
    contributor.cluster_jobs.begin_run_job(*path, word_count("broken", **changes)).result()
    (job,) = contributor.cluster_jobs.list(*path)
    assert job.properties.status == "JOB_LAUNCH_FAILED"
    assert job.properties.action_result == "FAILED"
    assert words in job.properties.job_output


def test_a_job_is_cancelled_and_forgotten(
    account: AzureAccount, contributor: HDInsightContainersMgmtClient, flink: FakeFlink
) -> None:
    """CANCEL reaches Flink; DELETE takes the row off the list."""
    seed = account.seed
    path = (seed.resource_group, seed.cluster_pool_name, seed.cluster_name)
    contributor.cluster_jobs.begin_run_job(*path, word_count("word-count")).result()
    for action in ("CANCEL", "DELETE"):
        seen = [job.properties.status for job in contributor.cluster_jobs.list(*path)]
        assert seen == (["RUNNING"] if action == "CANCEL" else ["CANCELED"])
        contributor.cluster_jobs.begin_run_job(
            *path, ClusterJob(properties=FlinkJobProperties(job_name="word-count", action=action))
        ).result()
    assert list(contributor.cluster_jobs.list(*path)) == []


def test_a_failed_operation_submits_nothing_and_tells_why(
    account: AzureAccount, contributor: HDInsightContainersMgmtClient, flink: FakeFlink
) -> None:
    """The SDK raises the operation's error."""
    account.arm.fail_next_operations(code="ClusterBusy", message="Try again later.")
    seed = account.seed
    path = (seed.resource_group, seed.cluster_pool_name, seed.cluster_name)
    with pytest.raises(HttpResponseError, match=r"\(ClusterBusy\) Try again later"):
        contributor.cluster_jobs.begin_run_job(*path, word_count("word-count")).result()
    assert list(contributor.cluster_jobs.list(*path)) == []
    assert flink.runs == []


def test_long_lists_come_in_pages(
    account: AzureAccount, contributor: HDInsightContainersMgmtClient
) -> None:
    """Two jobs of one name are two rows; the SDK follows nextLink, filter included."""
    account.arm.timing(page_size=2)
    seed = account.seed
    path = (seed.resource_group, seed.cluster_pool_name, seed.cluster_name)
    pollers = [
        contributor.cluster_jobs.begin_run_job(*path, word_count(name))
        for name in ("twin", "other", "twin", "twin")
    ]
    for poller in pollers:
        poller.result()
    pages = contributor.cluster_jobs.list(*path, filter="jobName eq twin").by_page()
    assert [len(list(page)) for page in pages] == [2, 1]

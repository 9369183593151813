"""The deployments for HDInsight on AKS, and the check of blocks, as they are filled in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flinkglue.azure.storage.abfs import ALLOWED as ABFS_ALLOWED
from tests.scenario.browser.filled_in import FilledIn, Question, Refusal
from tests.scenario.browser.glue_forms import CONNECTIONS, JOB
from tests.scenario.browser.prefect_ui import RunForm
from tests.scenario.lifecycle.real_lifecycle import ENTRY_CLASS

WORD_COUNT = "org.apache.flink.examples.java.wordcount.WordCount"
_GUID = "11111111-2222-3333-4444-555555555555"
_BLOCK = "HDInsightFlinkCluster"
_CLUSTER = ("cluster", _BLOCK, "hdinsight-flink")
_POOL = ("cluster", _BLOCK, "hdinsight-pool")


class AzureForms:
    """Each deployment for HDInsight on AKS.

    Args:
        azure: What the local cloud says of its account.
        published: The published parameters of the word count.
        name: Makes names of this test's own.
    """

    def __init__(self, azure: dict[str, Any], published: dict[str, str], name: str) -> None:
        self._azure = azure
        self._published = published
        self._cluster = azure["cluster_name"]
        self._new_cluster = f"app-{name}"
        self._submitted = f"words-{name}"
        self._jars = f"{azure['jar_directory']}/{name}"
        self._output = f"/tmp/words-{name}"

    def all(self) -> Iterator[FilledIn]:
        """In the order in which a person runs them."""
        yield FilledIn(
            "flink-jar-upload",
            Refusal("jar_directory", "https://account/jars", self._jars, ABFS_ALLOWED),
            self._upload,
            "upload jobs/flink/StatefulCount.jar",
            f"StatefulCount.jar is at {self._jars}/counts-1.jar",
            ("upload StatefulCount.jar to",),
        )
        yield FilledIn(
            "flink-word-count",
            Refusal("jarName", "words", "WordCount.jar", "ends in .jar"),
            self._word_count,
            f"WordCount.jar on {self._cluster}",
            f"FINISHED on {self._cluster} after",
            (f"sign in for {self._cluster}", "submit wordcount-", "read the word counts of"),
            {"flink-job-wordcount": "different ones", "azure-portal-": self._cluster},
            picker=("clusterBlock", _BLOCK, "hdinsight-flink"),
        )
        yield FilledIn(
            "flink-job-submit",
            Refusal(
                "parallelism", 0, 1, "0 is less than the minimum of 1", "greater than or equal to 1"
            ),
            self._submit,
            f"submit {self._submitted} to hdinsight-flink",
            "FINISHED, ",
            (f"submit {self._submitted}-", f"wait until {self._submitted}-"),
            {f"flink-job-{self._submitted}": "FINISHED"},
            picker=_CLUSTER,
        )
        yield FilledIn(
            "flink-cluster-create",
            Refusal("client_id", "me", _GUID, "a GUID"),
            self._create,
            f"create {self._new_cluster}",
            f"{self._new_cluster}: create; its job {self._new_cluster} is RUNNING",
            (f"create {self._new_cluster}", f"wait for the job of {self._new_cluster}"),
            {"flink-cluster-jobs": self._new_cluster},
            picker=_POOL,
            after=("flink-jar-upload",),
        )
        yield FilledIn(
            "flink-job-details",
            Refusal("cluster_name", "no/cluster", self._new_cluster, "or nothing"),
            self._details,
            f"details of {self._new_cluster} on {self._new_cluster}",
            f"1 job of {self._new_cluster}",
            (f"read the jobs of {self._new_cluster}",),
            {"flink-cluster-jobs": "RUNNING"},
            picker=_POOL,
            after=("flink-cluster-create",),
        )
        yield FilledIn(
            "flink-cluster-delete",
            Refusal(
                "cluster_name", "Not A Name", self._new_cluster, "1 to 62 of a-z 0-9 -, lower case"
            ),
            self._delete,
            f"delete {self._new_cluster}",
            f"{self._new_cluster} was deleted; the last savepoint of its job is",
            (f"find the job of {self._new_cluster}", f"delete {self._new_cluster}"),
            picker=_POOL,
            question=Question(
                f"Delete cluster {self._new_cluster} permanently?",
                lambda form: form.fill("Confirm Cluster Name", self._new_cluster),
            ),
            after=("flink-cluster-create", "flink-job-details"),
        )
        yield FilledIn(
            "block-check",
            Refusal("glue_job_name", " ", JOB, "or nothing"),
            _check_block,
            "check aws",
            "checks passed",
            ("check the block",),
            {"block-check": JOB},
            picker=("block", "AwsCredentials", "aws"),
        )

    def _upload(self, form: RunForm) -> None:
        form.fill("jar_path", "jobs/flink/StatefulCount.jar")
        form.fill("jar_name", "counts-1.jar")

    def _word_count(self, form: RunForm) -> None:
        for name, value in self._published.items():
            form.fill(name, value)
        form.choose("on_cancel", "leave")

    def _submit(self, form: RunForm) -> None:
        form.fill("job_name", self._submitted)
        form.fill("jar_directory", self._azure["jar_directory"])
        form.fill("jar_name", "WordCount.jar")
        form.fill("entry_class", WORD_COUNT)
        form.add("args", "--input", "/opt/flink/LICENSE", "--output", self._output)
        form.write("flink_configuration", {"restart-strategy.type": "none"})
        form.choose("wait_until", "finished")

    def _create(self, form: RunForm) -> None:
        form.fill("cluster_name", self._new_cluster)
        form.fill("location", self._azure["location"])
        form.fill("storage_uri", self._azure["jar_directory"])
        form.fill("resource_id", "/subscriptions/s/identities/i")
        form.fill("object_id", _GUID)
        form.fill("jar_directory", self._jars)
        form.fill("jar_name", "counts-1.jar")
        form.fill("entry_class", ENTRY_CLASS)
        form.add("args", "--output", f"/tmp/{self._new_cluster}.txt")
        form.add("user_ids", _GUID)

    def _details(self, form: RunForm) -> None:
        form.fill("job_name", self._new_cluster)

    def _delete(self, form: RunForm) -> None:
        form.fill("answer_within_minutes", 10)


def _check_block(form: RunForm) -> None:
    form.add("connection_names", *CONNECTIONS)

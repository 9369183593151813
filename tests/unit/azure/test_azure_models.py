"""Values for and from ARM: strict about what is sent, tolerant of what comes back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from flinkglue.azure import inputs
from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.models import ArmCluster, ArmFlinkJob, FlinkClusterId, Operation, choose_row
from flinkglue.azure.names import JOB_NAME, job_name_for
from flinkglue.azure.storage.abfs import ABFS_PATTERN, AbfsUri
from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.models import Action

DIRECTORY = "abfs://filesystem@account.dfs.core.windows.net"
GOOD: dict[str, Any] = {
    "job_name": "wordcount",
    "job_jar_directory": DIRECTORY,
    "jar_name": "WordCount.jar",
    "entry_class": "org.apache.flink.examples.java.wordcount.WordCount",
}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PROPERTIES = ("jobName", "runId", "jobId", "action", "status", "actionResult", "jobOutput")
rows = st.fixed_dictionaries(
    {}, optional={"properties": anything | st.dictionaries(st.sampled_from(PROPERTIES), anything)}
)


@given(anything | rows)
def test_no_row_crashes_the_client(row: object) -> None:
    """Whatever a row is, it is read: its fields are text or None, its settings text."""
    job = ArmFlinkJob.from_row(row)
    fields = dict(vars(job))
    settings = fields.pop("flink_configuration")
    assert all(isinstance(text, str) for text in (*settings, *settings.values()))
    assert all(value is None or isinstance(value, str) for value in fields.values())
    choose_row([job], "wordcount")


@given(st.text(min_size=1))
def test_an_unknown_status_is_kept_as_it_is(status: str) -> None:
    """The status is an open string."""
    assert ArmFlinkJob.from_row({"properties": {"status": status}}).status == status


@given(anything)
def test_no_answer_crashes_an_operation_or_a_cluster(answer: object) -> None:
    """Bodies may be null or anything else."""
    assert Operation.from_answer("u", answer).url == "u"
    assert ArmCluster.from_resource(answer) is not None


containers = st.from_regex(r"[a-z0-9](-?[a-z0-9]){2,40}", fullmatch=True)
accounts = st.from_regex(r"[a-z0-9]{3,24}", fullmatch=True)
paths = st.lists(st.from_regex(r"[A-Za-z0-9_=-]{1,8}", fullmatch=True), max_size=4)


@given(containers, accounts, paths, st.sampled_from(["abfs", "abfss"]))
def test_a_uri_is_what_it_was_made_of(
    container: str, account: str, path: list[str], scheme: str
) -> None:
    """Parsing and writing are inverse."""
    uri = AbfsUri(container, f"{account}.dfs.core.windows.net", "/".join(path), scheme)
    assert AbfsUri.parse(str(uri)) == uri
    assert AbfsUri.parse(str(uri) + "/") == uri
    assert uri.account == account
    assert AbfsUri.parse(str(uri.child("Job.jar"))).path == "/".join([*path, "Job.jar"])


@given(st.text())
def test_what_is_no_uri_is_refused_and_never_crashes(text: str) -> None:
    """Every text is either a URI that is written back the same, or refused."""
    try:
        uri = AbfsUri.parse(text, "jarDirectory")
    except InvalidInput:
        return
    assert str(uri) == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://account.blob.core.windows.net/jars",
        "wasbs://jars@account.blob.core.windows.net",
        "abfs://jars",
        "abfs://account.dfs.core.windows.net/jars",
        "abfs://filesystem@<storageaccount>.dfs.core.windows.net",
        "abfs://Jars@account.dfs.core.windows.net",
        "abfs://jars@account.blob.core.windows.net",
        "abfs://jars@account.dfs.core.windows.net/a b",
        "abfs://jars@account.dfs.core.windows.net/x?sv=secret",
        "abfs://jars@account.dfs.core.windows.net/a/../b",
        "abfs://jars@account.dfs.core.windows.net\n",
    ],
)
def test_what_is_no_abfs_uri_is_refused(text: str) -> None:
    """With the field's name, and what a right one looks like."""
    with pytest.raises(InvalidInput, match=r"jarDirectory.*abfs://container@account"):
        AbfsUri.parse(text, "jarDirectory")
    with pytest.raises(ValidationError):
        TypeAdapter(inputs.JarDirectory).validate_python(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("job_name", ""),
        ("job_name", "Word Count"),
        ("job_name", "x" * 64),
        ("job_jar_directory", "/jars"),
        ("jar_name", ""),
        ("jar_name", "WordCount"),
        ("jar_name", "../WordCount.jar"),
        ("entry_class", ""),
        ("entry_class", "org..WordCount"),
        ("parallelism", 0),
        ("parallelism", -1),
        ("parallelism", True),
        ("args", ["--input", "two words"]),
        ("args", [""]),
        ("flink_configuration", {"parallelism": "7"}),
    ],
)
def test_a_bad_request_is_refused_with_its_field(field: str, value: object) -> None:
    """Before any call."""
    with pytest.raises(InvalidInput, match=field):
        RunJob.new(**GOOD | {field: value})


def test_a_new_job_says_what_the_service_needs() -> None:
    """jobType, name, action, jar, class, parallelism; what is not set is left out."""
    assert RunJob.new(**GOOD, parallelism=2).body() == {
        "properties": {
            "jobType": "FlinkJob",
            "jobName": "wordcount",
            "action": "NEW",
            "jobJarDirectory": DIRECTORY,
            "jarName": "WordCount.jar",
            "entryClass": "org.apache.flink.examples.java.wordcount.WordCount",
            "flinkConfiguration": {"parallelism": "2"},
        }
    }


def test_the_other_actions_need_no_more_than_a_name() -> None:
    """As documented: jobType and jobName."""
    stop = RunJob(Action.STOP, "wordcount")
    assert set(stop.body()["properties"]) == {"jobType", "jobName", "action"}


def test_actions_are_those_of_the_official_sdk() -> None:
    """Compared with Microsoft's own client."""
    from azure.mgmt.hdinsightcontainers.models import Action as SdkAction

    assert {action.value for action in Action} == {action.value for action in SdkAction}


@given(st.uuids(), st.from_regex(r"[a-z]([a-z0-9-]{0,24}[a-z0-9])?", fullmatch=True))
def test_a_flow_run_has_one_job_name(flow_run_id: object, prefix: str) -> None:
    """The same at every attempt, lower case, accepted by RunJob."""
    name = job_name_for(prefix, str(flow_run_id).upper())
    assert name == job_name_for(prefix, str(flow_run_id))
    assert re.fullmatch(JOB_NAME.pattern, name)


@pytest.mark.parametrize("prefix", ["", "Word", "a b", "-a", "a-", "x" * 27])
def test_a_bad_job_name_is_refused(prefix: str) -> None:
    """An empty name above all."""
    with pytest.raises(InvalidInput, match="job_name"):
        job_name_for(prefix, "id")


@pytest.mark.parametrize("bad", ["", "a/b", "<cluster name>", "a b"])
def test_a_cluster_is_named_by_names(bad: str) -> None:
    """Nothing in a name can lead the call elsewhere."""
    with pytest.raises(InvalidInput, match="cluster_name"):
        FlinkClusterId("sub", "group", "pool1", bad)


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [(inputs.JarDirectory, ABFS_PATTERN), (inputs.JobNamePrefix, r"^[a-z0-9](?:")],
)
def test_the_form_gets_the_pattern_and_the_person_the_words(kind: Any, pattern: str) -> None:
    """The server checks the pattern when a run is made; both say what is allowed."""
    shown = TypeAdapter(kind).json_schema()
    assert shown["if"]["pattern"].startswith(pattern)
    assert " " in shown["else"]["const"]
    with pytest.raises(ValidationError, match=r"is not accepted\. Allowed: "):
        TypeAdapter(kind).validate_python("A")


def test_a_live_row_is_preferred_to_an_ended_one_of_the_same_name_in_any_spelling() -> None:
    """Names may be double: the job that lives is the one that is meant."""
    for ended in ("JOB_LAUNCH_FAILED", "Cancelled", "DELETED", "STOPPED", "FINISHED"):
        rows = [
            ArmFlinkJob.from_row(
                {"properties": {"jobName": "a", "jobId": job_id, "status": status, "action": "NEW"}}
            )
            for job_id, status in (("1" * 32, ended), ("2" * 32, "RUNNING"))
        ]
        chosen = choose_row(rows, "a")
        assert chosen is not None
        assert chosen.job_id == "2" * 32


@pytest.mark.parametrize("name", ["_rg", "(prod)", "-", "größe", "a" * 90])
def test_a_resource_group_may_begin_with_anything_that_azure_allows(name: str) -> None:
    """Unlike clusters and pools."""
    assert FlinkClusterId("sub", name, "pool1", "flink1").resource_group == name


@pytest.mark.parametrize("name", ["", "rg.", "..", "a b", "a/b", "rg\n", "a" * 91])
def test_what_is_no_resource_group_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="resource_group"):
        FlinkClusterId("sub", name, "pool1", "flink1")

"""The published runs, through deployments, a worker and real Flink."""

from __future__ import annotations

import httpx

from scripts.demo_checks import driver_in_first_subnet, words_counted_by_flink
from tests.scenario.conftest import Platform

WORD_COUNT = "flink-word-count/flink-word-count"
GLUE_JOB = "glue-job/glue-job"
PUBLISHED_GLUE = {
    "job_name": "AirflowBlogJob",
    "connection_names": "MWAA-Glue-Blog-Subnet1,MWAA-Glue-Blog-Subnet2",
    "strategy": "capacity",
    "retry_delay_seconds": 1,
}
# Prefect itself looks these up before a flow starts.
CLOUD_SERVICES = ("arm", "entra", "keyvault", "glue", "ec2", "blob")


def test_the_published_json_counts_words_on_real_flink(platform: Platform) -> None:
    """System 1: the published parameters, verbatim; Flink's own counts are checked."""
    run = platform.run(WORD_COUNT, platform.published_parameters)

    assert run["state_type"] == "COMPLETED", platform.prefect.logs(run["id"])
    words_counted_by_flink(platform.cloud, platform.prefect, run["id"])
    assert len(platform.cloud.requests("arm", "*RunJob")) == 1


def test_a_full_subnet_moves_the_next_glue_run(platform: Platform) -> None:
    """System 3: the driver lies where the ranking says, also after its favourite is full."""
    first_run = platform.run(GLUE_JOB, PUBLISHED_GLUE)
    first = driver_in_first_subnet(platform.cloud, platform.prefect, first_run["id"])

    platform.cloud.fill(first.subnet_id)
    second_run = platform.run(GLUE_JOB, PUBLISHED_GLUE)
    second = driver_in_first_subnet(platform.cloud, platform.prefect, second_run["id"])

    assert second.subnet_id != first.subnet_id
    assert len(platform.cloud.requests("glue", "StartJobRun")) == 2


def test_a_rotated_secret_is_used_by_the_next_run(platform: Platform) -> None:
    """No redeploy and no block is saved again."""
    azure = platform.cloud.azure
    platform.cloud.rotate_secret(f"{azure['secret_prefix']}api-secret")

    run = platform.run(WORD_COUNT, platform.published_parameters)

    assert run["state_type"] == "COMPLETED", platform.prefect.logs(run["id"])


def test_a_disabled_secret_fails_the_run_by_name(platform: Platform) -> None:
    """The error says which secret of which vault, and what to do; no job is submitted."""
    azure = platform.cloud.azure
    name = f"{azure['secret_prefix']}api-secret"
    platform.cloud.fault("keyvault", "disable-secret", name=name)
    try:
        run = platform.run(WORD_COUNT, platform.published_parameters)
    finally:
        platform.cloud.fault("keyvault", "enable-secret", name=name)

    assert run["state_type"] == "FAILED"
    said = "\n".join(platform.prefect.whole_log(run["id"]))
    assert name in said
    assert "What to do" in said
    assert platform.cloud.requests("arm", "*RunJob") == []


SUBMISSION = {
    "job_name": "words",
    "jar_directory": "abfs://filesystem@account.dfs.core.windows.net",
    "jar_name": "WordCount.jar",
    "entry_class": "org.apache.flink.examples.java.wordcount.WordCount",
    "parallelism": 1,
}
SUBMIT = "flink-job-submit/flink-job-submit"
REFUSED: dict[str, tuple[str, str, object]] = {
    "empty jar name": (WORD_COUNT, "jarName", ""),
    "not an abfs URL": (WORD_COUNT, "jarDirectory", "https://account/jars"),
    "missing block": (WORD_COUNT, "clusterBlock", "nowhere"),
    "empty Glue job name": (GLUE_JOB, "job_name", ""),
    "unknown strategy": (GLUE_JOB, "strategy", "nearest"),
    "a blank connection": (GLUE_JOB, "connection_names", "a,,b"),
    "a double connection": (GLUE_JOB, "connection_names", ["a", "a"]),
    "missing AWS block": (GLUE_JOB, "aws_credentials", "nowhere"),
    "no parallelism": (SUBMIT, "parallelism", 0),
    "empty Flink job name": (SUBMIT, "job_name", ""),
}


def test_bad_input_is_refused_before_any_cloud_call(platform: Platform) -> None:
    """By the server when the run is created, or by the flow before its first call; all at once."""
    good = {WORD_COUNT: platform.published_parameters, GLUE_JOB: PUBLISHED_GLUE, SUBMIT: SUBMISSION}
    answers = {
        name: platform.prefect.create_flow_run(deployment, {**good[deployment], field: value})
        for name, (deployment, field, value) in REFUSED.items()
    }
    said = {name: refusal(platform, answer) for name, answer in answers.items()}
    assert {name: REFUSED[name][1] in text for name, text in said.items()} == dict.fromkeys(
        REFUSED, True
    ), said
    assert [r for s in CLOUD_SERVICES for r in platform.cloud.requests(s)] == []


def refusal(platform: Platform, answer: httpx.Response) -> str:
    """What the person is told: the server's answer, or the log of the failed run."""
    if answer.is_client_error:
        return answer.text
    run = platform.prefect.wait_for(answer.json()["id"])
    assert run["state_type"] == "FAILED"
    return "\n".join([run["state"]["message"], *platform.prefect.whole_log(run["id"])])

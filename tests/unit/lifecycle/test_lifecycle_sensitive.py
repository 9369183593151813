"""Settings that are secrets: refused where a person fills them in, hidden where they are found."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.azure.arm.run_job import RunJob
from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.differences import changed_settings
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.lifecycle.sensitive import HIDDEN, check_no_secrets, is_sensitive, shown
from flows.submit_flink_job import submit_flink_job_flow

SECRETS = [
    "s3.secret-key",
    "fs.azure.account.key.mystorage.dfs.core.windows.net",
    "security.ssl.rest.keystore-password",
    "metrics.reporter.dghttp.apikey",
    "kafka.sasl.JAAS.config",
]


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_among_the_settings_is_refused_without_telling_it(key: str) -> None:
    with pytest.raises(InvalidInput, match="no secrets") as refused:
        JobChanges(flink_configuration={"parallelism.default": "2", key: "hunter2"})
    assert f"flink_configuration[{key}]" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_form_of_the_published_backend_refuses_it_too() -> None:
    where = ("abfs://jars@storage.dfs.core.windows.net", "orders.jar", "com.example.Orders")
    with pytest.raises(InvalidInput, match=r"flink_configuration\[s3.secret-key\]"):
        submit_flink_job_flow.fn("orders", *where, flink_configuration={"s3.secret-key": "hunter2"})


def test_a_launch_that_was_made_before_may_be_made_again() -> None:
    """What is on record with such a setting must be able to come back after a bad update."""
    where = ("abfs://jars@storage.dfs.core.windows.net", "orders.jar", "com.example.Orders")
    again = RunJob.new("orders", *where, flink_configuration={"s3.secret-key": "hunter2"})
    assert again.flink_configuration["s3.secret-key"] == "hunter2"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("security.delegation.tokens.enabled", "false"),
        ("state.savepoints.dir", "s3://bucket/savepoints"),
        ("s3.access-key", "AKIA"),
    ],
)
def test_what_is_no_secret_is_taken(key: str, value: str) -> None:
    check_no_secrets("flink_configuration", {key: value})


def test_a_change_of_a_secret_is_shown_without_it() -> None:
    """The job was launched by somebody else, with a secret in its settings."""
    (change,) = changed_settings({"s3.secret-key": "hunter2"}, {})
    assert (change.old, change.new) == (HIDDEN, "(unset)")


JSON = st.recursive(
    st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


@given(JSON, st.sampled_from(SECRETS))
def test_however_deep_a_secret_lies_it_is_not_shown(value: object, key: str) -> None:
    row = {"properties": [value, {"flinkConfiguration": {key: "hunter2", "plain": "kept"}}]}
    told = json.dumps(shown(row))
    assert "hunter2" not in told
    assert "kept" in told
    assert shown(value) == value


@given(st.text(), st.text())
def test_any_key_can_be_judged(key: str, value: str) -> None:
    assert is_sensitive(key, value) in (True, False)

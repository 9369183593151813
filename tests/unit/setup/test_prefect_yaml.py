"""What `prefect.yaml` may say of a deployment, and how it is refused otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from flinkglue.errors import InvalidInput
from infra.setup.project import entries_of


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"schedules": [{"cron": "0 4 * * *"}]}, "glue-job.*schedules"),
        ({"pull": []}, "glue-job.*pull"),
        ({"work_pool": None}, "work_pool"),
        ({"concurrency_limit": {"limit": 1, "collision_strategy": "WAIT"}}, "collision_strategy"),
    ],
)
def test_what_prefect_yaml_says_in_vain_is_refused(wrong: dict[str, Any], named: str) -> None:
    """`prefect deploy` reads it; here a schedule would never run."""
    entry = {"name": "glue-job", "entrypoint": "a.py:f", "work_pool": {"name": "a"}, **wrong}
    entry = {key: value for key, value in entry.items() if value is not None}
    with pytest.raises(InvalidInput, match=named):
        entries_of({"deployments": [entry]})


def test_a_key_of_prefect_yaml_with_nothing_after_it_counts_as_left_out() -> None:
    """As in the file of an environment."""
    entry = {"name": "glue-job", "entrypoint": "a.py:b", "work_pool": {"name": "flinkglue"}}
    empty = {"version": None, "description": None, "tags": None, "schedules": None}
    assert entries_of({"deployments": [entry | empty]}) == {"glue-job": entry}


@pytest.mark.parametrize("document", [None, {}, {"deployments": None}])
def test_a_prefect_yaml_without_deployments_is_refused(document: Any) -> None:
    with pytest.raises(InvalidInput, match=r"prefect\.yaml: deployments"):
        entries_of(document)


def test_a_deployment_is_in_prefect_yaml_once() -> None:
    """The first one would be dropped without a word."""
    entry = {"name": "glue-job", "entrypoint": "a.py:b", "work_pool": {"name": "flinkglue"}}
    with pytest.raises(InvalidInput, match="each name once"):
        entries_of({"deployments": [entry, entry]})


def test_a_limit_of_prefect_yaml_may_be_a_number() -> None:
    """As `prefect deploy` takes it."""
    entry = {"name": "a", "entrypoint": "a.py:f", "work_pool": {"name": "a"}}
    found = entries_of({"deployments": [{**entry, "concurrency_limit": 3}]})
    assert found["a"]["concurrency_limit"].limit == 3

"""What a person reads about a choice, the attempts and their cost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.console import Console
from flinkglue.glue.coordination.claims import Reservation
from flinkglue.glue.failures.classification import classify
from flinkglue.glue.failures.rule import FailureClass
from flinkglue.glue.failures.table import (
    ANOTHER_SUBNET,
    INTERFACE_QUOTA,
    OTHER_GROUPS,
    RULES,
    TRUST_GLUE,
)
from flinkglue.glue.log_places import OUTPUT, LogTail
from flinkglue.glue.models import Connection, CoolDown, JobRun, Ranking, Subnet
from flinkglue.glue.placement.decision import ranking_description, ranking_rows
from flinkglue.glue.placement.demand import demand_of
from flinkglue.glue.placement.knowledge import knowledge_for
from flinkglue.glue.placement.ranking import rank
from flinkglue.glue.placement.shortage import ShortagePolicy, WhenNothingFits
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.glue.run.cost import cost_of
from flinkglue.glue.run.report import RunOutput, job_run_markdown
from flinkglue.glue.run.words.live_page import LiveRun, cancelled_in_words, cancelled_markdown
from flinkglue.glue.run_request import RunRequest
from flinkglue.markdown import bar, table
from tests.page_tables import in_view, table_of

A, B, C = FailureClass
CONSOLE = Console("aws", "us-east-1")
REQUEST = RunRequest("nightly", "flow-run", datetime(2026, 1, 1, tzinfo=UTC), number=2)
FULL = "Number of IP addresses on subnet is 0: subnet-a"
NO_GATEWAY = (
    "VPC S3 endpoint validation failed for SubnetId: subnet-a. VPC: vpc-1. "
    "Reason: Could not find S3 endpoint or NAT gateway for subnetId: subnet-a in Vpc vpc-1"
)


def connection(name: str, free: int, zone: str = "us-east-1a") -> Connection:
    subnet = Subnet(f"subnet-{name}", "vpc-1", zone, "10.0.0.0/24", free, "available")
    return Connection(name, subnet.subnet_id, subnet, "NETWORK")


def ranking(strategy: str = "best_fit", seed: int = 7) -> Ranking:
    """Four connections: one is reserved away, one failed lately, one is not there."""
    return rank(
        [
            connection("a", 20),
            connection("b", 8, "us-east-1b"),
            connection("c", 50),
            Connection("gone", problem="there is no connection of this name", missing=True),
        ],
        6,
        STRATEGIES[strategy],
        seed,
        strategy_name=strategy,
        knowledge=knowledge_for(
            "flow-run/2",
            [Reservation("other/1", "weekly", "b", "subnet-b", "us-east-1b", 4)],
            [
                CoolDown(
                    "c",
                    "subnet-c",
                    "Resource unavailable",
                    since=datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC),
                    until=datetime(2026, 1, 1, 12, 5, 0, tzinfo=UTC),
                )
            ],
        ),
        given_order=["c", "b", "a", "gone"],
    )


def run(state: str = "SUCCEEDED", message: str | None = None, **more: Any) -> JobRun:
    fields = {"Id": "jr_1", "JobName": "nightly", "JobRunState": state, "ErrorMessage": message}
    return JobRun.from_response({**fields, "MaxCapacity": 2.0, "ExecutionTime": 60, **more})


def attempt(number: int, made: JobRun, connection_name: str = "a") -> Attempt:
    failure = None if made.succeeded or not made.ended else classify(made.state, made.error_message)
    return Attempt(number, made, connection_name, failure)


def page(
    attempts: Sequence[Attempt], console: Console = CONSOLE, price: float | None = None
) -> str:
    return job_run_markdown(
        "nightly", attempts, RunOutput({OUTPUT: LogTail(["line"], None)}), console, price
    )


def test_the_record_tells_what_was_known_of_each_connection() -> None:
    rows = {row["Connection"]: row for row in ranking_rows(ranking())}
    assert [*rows] == ["a", "c", "b", "gone"]
    assert (rows["b"]["Free"], rows["b"]["Reserved"], rows["b"]["Group"]) == (8, 4, "usable")
    assert rows["c"]["Why"] == (
        "good: 50 addresses, 6 needed; failed recently (on cooldown until 12:05:00 UTC)"
    )
    assert rows["c"]["Last failure"] == "12:00:00 UTC: Resource unavailable"
    assert rows["b"]["Why"] == "usable: 4 addresses, 6 needed"
    assert rows["gone"]["Why"] == (
        "unknown; left out of the job; there is no connection of this name"
    )
    for row in rows.values():
        assert [*row][:3] == ["Place", "Connection", "Why"], "the reason is read without scrolling"


def test_what_decides_is_read_without_scrolling() -> None:
    names = ["MWAA-Glue-Blog-Subnet1", "MWAA-Glue-Blog-Subnet2"]
    connections = [connection(name, 251) for name in names]
    chosen = rank(connections, 12, STRATEGIES["spread"], 7, strategy_name="spread")
    assert {"Why", "Zone", "Live runs", "Given as", "Free"} < {*in_view(ranking_rows(chosen))}


def test_an_attempt_is_read_without_scrolling() -> None:
    """On the page of a run whose first attempt failed over."""
    name = "MWAA-Glue-Blog-Subnet1"
    hours = {"ExecutionTime": 3600, "Id": "jr_0123456789abcdef0123456789abcdef"}
    attempts = [
        attempt(1, run("FAILED", FULL, **hours), name),
        attempt(2, run(**hours), name),
    ]
    rows = table_of(page(attempts), "#")
    assert [row["State"] for row in rows] == ["FAILED", "SUCCEEDED"]
    assert {"Next", "Duration", "Run"} < {*in_view(rows)}, "the total capacity is below it"
    rows = table_of(page([attempt(1, run(**hours), name)]), "#")
    assert in_view(rows) == [*rows[0]]


def test_no_table_of_a_run_begins_with_an_empty_row() -> None:
    refused = Attempt(1, None, "a", classify("FAILED", FULL))
    for told in (page([attempt(1, run())]), page([refused])):
        assert "|  |  |" not in told


def test_the_record_tells_what_was_asked_and_what_decided() -> None:
    told = ranking_description(ranking(), REQUEST, ShortagePolicy(WhenNothingFits.WAIT, 600))
    assert "Attempt 2 of job **nightly**: Glue should take **a**" in told
    assert "20 addresses free and not reserved (good)" in told
    assert "`best_fit` with seed 7" in told
    assert "wait for 10 minutes" in told
    assert "Left out of the job, as they do not exist: gone." in told


@pytest.mark.parametrize(
    ("job", "options", "because"),
    [
        ({"NumberOfWorkers": 5}, {}, "5 workers + 2 for extra nodes"),
        ({"MaxCapacity": 2.5}, {"extra_nodes": 1}, "3 units of capacity + 1 for extra nodes"),
        ({"Command": {"Name": "pythonshell"}}, {}, "a Python shell run has one node"),
        ({"NumberOfWorkers": 5}, {"needed_addresses": 9}, "given as needed_addresses"),
        (
            {"NumberOfWorkers": 5},
            {"arguments": {"--enable-auto-scaling": "true"}},
            "5 workers, the maximum of auto scaling, + 2 for extra nodes",
        ),
    ],
)
def test_the_record_tells_how_the_number_of_addresses_came_about(
    job: dict[str, Any], options: dict[str, Any], because: str
) -> None:
    assert demand_of(job, **options).because == because


@pytest.mark.parametrize("strategy", [*STRATEGIES])
def test_the_choice_can_be_made_again_from_its_record(strategy: str) -> None:
    """From the table, the seed and the needed addresses alone."""
    chosen = ranking(strategy)
    rows = [row for row in ranking_rows(chosen) if row["Group"] != "unknown"]
    again = rank(
        [connection(row["Connection"], row["Free"], row["Zone"]) for row in rows],
        chosen.needed_addresses,
        STRATEGIES[strategy],
        chosen.seed,
        strategy_name=strategy,
        knowledge=knowledge_for(
            "again/1",
            [
                Reservation(
                    "r", "j", row["Connection"], row["Subnet"], row["Zone"], row["Reserved"]
                )
                for row in rows
                if row["Reserved"]
            ],
            [
                CoolDown(row["Connection"], row["Subnet"], "")
                for row in rows
                if "failed recently" in row["Why"]
            ],
        ),
        given_order=[r["Connection"] for r in sorted(rows, key=lambda r: r["Given as"])],
    )
    assert again.connection_names == [row["Connection"] for row in rows]


def test_every_failed_attempt_is_told_with_its_class_its_evidence_and_what_to_do() -> None:
    told = page(
        [
            attempt(1, run("FAILED", FULL)),
            attempt(2, run("FAILED", NO_GATEWAY), "b"),
            attempt(3, run("SUCCEEDED"), "c"),
        ]
    )
    assert "## Failure of attempt 1 on a: moved to b\n\n    Number of IP addresses" in told
    assert "What to do: the subnet is full; another one is tried." in told
    assert "## Failure of attempt 2 on b: moved to c" in told
    assert "**Manual fix needed.** What to do: give the subnet's route table" in told
    assert "attempt 3 on" not in told


@pytest.mark.parametrize(
    ("messages", "connections", "followed"),
    [
        ([FULL], "a", "no further attempt"),
        ([FULL, NO_GATEWAY], "ab", "no further attempt"),
        (["Rate exceeded"], "a", "no further attempt"),
        (["NameError: no such name"], "a", "not retried"),
        ([FULL, None], "ab", "moved to b"),
        (["Rate exceeded", None], "aa", "retried on a"),
        (["Rate exceeded", None], "ab", "retried on b"),
        (["NameError: no such name", None], "aa", "retried on a"),
    ],
)
def test_a_page_says_what_followed_a_failure(
    messages: list[str | None], connections: str, followed: str
) -> None:
    """Not the decision of the table of failures, of which there is none after the last attempt."""
    attempts = [
        attempt(number, run("FAILED" if message else "SUCCEEDED", message), name)
        for number, (message, name) in enumerate(zip(messages, connections, strict=True), start=1)
    ]
    told = page(attempts)
    failed = len([message for message in messages if message])
    heading = f"## Failure of attempt {failed} on {connections[failed - 1]}: {followed}\n"
    assert heading in told
    assert f"| FAILED | {followed} |" in told
    assert not re.search(rf"(?:: |\| )(?:{'|'.join(FailureClass)})(?: \||\n)", told)


def test_a_start_that_was_refused_is_told_too() -> None:
    refused = Attempt(1, None, "a", classify("FAILED", FULL))
    told = page([refused])
    assert "# Glue job nightly: not started" in told
    assert "Glue refused to start one." in told
    assert FULL in told
    assert "Total: 0.00 DPU-seconds." in told


def test_the_page_links_to_the_job_the_run_and_both_logs() -> None:
    told = page([attempt(1, run())])
    for link in (CONSOLE.job("nightly"), CONSOLE.job_run(run()), CONSOLE.logs(run(), "error")):
        assert f"]({link})" in told


def test_without_a_known_console_there_is_text_in_place_of_links() -> None:
    told = page([attempt(1, run())], Console("aws-iso", "us-iso-east-1"))
    assert "](" not in told
    assert "| Run | jr_1 |" in told


@pytest.mark.parametrize(
    ("runs", "price", "told"),
    [
        ([run(), run("FAILED", FULL, DPUSeconds=30.0)], None, "Total: 150 DPU-seconds."),
        ([run(), run(DPUSeconds=3480.0)], 0.44, "3,600 DPU-seconds, about 0.44 at 0.44 per"),
        ([run(), run(MaxCapacity=None)], 0.44, "at least 120 DPU-seconds"),
        ([run("RUNNING")], None, "at least 120 DPU-seconds"),
    ],
)
def test_the_cost_is_summed_over_all_attempts(
    runs: list[JobRun], price: float | None, told: str
) -> None:
    attempts = [attempt(number, made) for number, made in enumerate(runs, start=1)]
    assert told in page(attempts, price=price)


def test_there_is_no_estimate_without_a_price() -> None:
    assert cost_of([attempt(1, run())]).to_dict() == {
        "capacity_seconds": 120.0,
        "is_complete": True,
        "estimate": None,
    }


def test_the_settings_that_only_a_person_can_mend_raise_an_alert() -> None:
    alerts = {rule.advice: rule.failure_class for rule in RULES if rule.alert}
    assert alerts == {
        "give the subnet's route table an S3 gateway endpoint or a NAT gateway": A,
        "add a rule to the connection's security group that allows all TCP from itself": A,
        "allow all outgoing traffic in the connection's security group": A,
        "no connection of the job passes Glue's checks: test each one in the Glue console": C,
        "give the connection the availability zone of its subnet": A,
        "give the connection security groups of the VPC of its subnet": A,
        ANOTHER_SUBNET: A,
        OTHER_GROUPS: A,
        "give the connection fewer security groups, or have the quota per interface raised": A,
        INTERFACE_QUOTA: B,
        TRUST_GLUE: C,
    }
    assert classify("FAILED", NO_GATEWAY).alert


def test_a_cell_cannot_break_out_of_its_table() -> None:
    assert table(["x"], [["a|b\n# c"]]).splitlines()[-1] == "| a\\|b # c |"


@pytest.mark.parametrize(
    ("share", "told"), [(0, "░░░░"), (0.01, "█░░░"), (0.5, "██░░"), (1, "████"), (1.2, "████")]
)
def test_a_bar_shows_nothing_only_for_nothing(share: float, told: str) -> None:
    assert bar(share, 4) == told


@pytest.mark.parametrize(
    ("state", "told"),
    [("STOPPED", "STOPPED on b after 3 min"), ("RUNNING", "RUNNING on b for 3 min")],
)
def test_the_page_of_a_cancelled_flow_run_says_whether_its_glue_run_has_ended(
    state: str, told: str
) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    left = run(state, StartedOn=began, CompletedOn=None, Arguments={"--flinkglue-connection": "b"})
    shown = [LiveRun(left, 1, began + timedelta(minutes=3), began)]
    assert f"## Attempt 1: {told}\n" in cancelled_markdown("nightly", shown, CONSOLE)
    assert cancelled_in_words(shown) == f"Cancelled: {told}"

"""The file of an environment is refused before any call, by the name of the field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import BaseModel

from infra.setup.__main__ import main, name_of
from infra.setup.environment import (
    Automation,
    ConcurrencyLimit,
    Deployment,
    Environment,
    GlobalLimit,
    Schedule,
    WorkPool,
    read_environment,
)
from infra.setup.record import WITHOUT_FILE

ROOT = Path(__file__).resolve().parents[3]
EXHAUSTED = "{file: docs/automations/glue-job-exhausted.yaml, notify: slack-webhook/on-call}"
WRONG = {
    "deployments: {glue-jobs: {}}": "deployments.glue-jobs",
    "deployments: {nothing/nightly: {}}": "deployments.nothing/nightly",
    "deployments: {glue-job: {parameters: {jobname: a}}}": "parameters.jobname",
    "deployments: {glue-job: {parameters: {retry_options: 1}}}": "parameters.retry",
    "deployments: {glue-job: {schedules: {a: {cron: often}}}}": "schedules.a",
    "deployments: {glue-job: {schedules: {a: {cron: '* * * * *', timezone: Mars}}}}": "schedules.a",
    "deployments: {glue-job: {schedules: {a: {}}}}": "exactly one of cron",
    "deployments: {glue-job: {schedules: {a: {interval: 60, parameters: {x: 1}}}}}": "parameters.x",
    "deployments: {glue-job: {concurrency_limit: {limit: 1, collision_strategy: WAIT}}}": "ENQUEUE",
    "deployments: {glue-job: {shedules: {}}}": "shedules",
    "work_pools: {flinkglue: {type: wagon}}": "work_pools.flinkglue.type",
    "work_pools: {flinkglue: {type: process, base_job_template: none.json}}": "base_job_template",
    "blocks: {flink-rest-cluster/a: {url: 'https://f', tocken: x}}": "tocken",
    "blocks: {flink-rest-cluster/a: {url: 'not a web address'}}": "url",
    "blocks: {flink-rest-cluster/a: {url: 'https://f', token: s3cr3t}}": "do not belong in a file",
    "blocks: {flink-rest-cluster/a: {url: 'https://f', token: {env: NOT_THERE}}}": "variable",
    "blocks: {nothing-of-that-kind/a: {}}": "nothing-of-that-kind",
    "automations: [{file: none.yaml}]": "none.yaml",
    "automations: [{file: ci/github-actions.yml}]": "an automation",
    "automations: [{file: docs/automations/glue-job-exhausted.yaml}]": "notify",
    "name: default": "name",
    "deployments: {glue-job: {}, glue-job/glue-job: {}}": "glue-job/glue-job",
    "deployments: {glue-job/50%: {}}": "deployments.glue-job/50%",
    "deployments: {glue-run-sweep: {parameters: {end_silent_runs: yes}}}": "in quotes",
    "deployments: {flink-watch: {shedules: }}": "shedules",
    "deployments: {glue-job: {concurrency_limit: yes}}": "concurrency_limit",
    "deployments: {glue-job: {schedules: {a: {interval: .inf}}}}": "schedules.a.interval",
    "blocks: {flink-rest-cluster/Production: {url: 'https://f'}}": "lowercase",
    "work_pools: {a: {type: process}, b: {type: process}, a: {type: docker}}": "each key once",
    "deployments:\n  glue-job: {tags: [a]}\n  glue-job: {tags: [b]}": "line 3",
    f"automations: [{EXHAUSTED}, {EXHAUSTED}]": "glue-job-exhausted",
    "[]": "environment",
    "a: [": "YAML",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_in_it_is_refused_by_name(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "production.yaml"
    file.write_text(text)
    assert main(["check", str(file)]) == 2
    told = capsys.readouterr().err
    assert WRONG[text] in told
    assert "s3cr3t" not in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "text",
    [
        "deployments:\n  # glue-job: {}\nblocks:\n",
        "deployments: {glue-job: }",
        "deployments: {glue-job: {schedules: , concurrency_limit: , tags: }}",
        "\ufeffdeployments:\r\n  glue-job:\r\n    tags: [orders]\r\n",
        "concurrency_limits: {a: &a {limit: 5}, b: {<<: *a, limit: 6}, c: *a}",
        "",
    ],
    ids=repr,
)
def test_what_people_leave_empty_and_what_their_editors_add_is_taken(
    text: str, tmp_path: Path
) -> None:
    file = tmp_path / "production.yaml"
    file.write_text(text, newline="")
    assert main(["check", str(file)]) == 0


def test_dates_and_times_that_are_written_without_quotes_are_text(tmp_path: Path) -> None:
    """Prefect takes JSON, which has no dates; YAML 1.1 reads 22:30 as 1350."""
    file = tmp_path / "production.yaml"
    file.write_text(
        "deployments: {glue-job: {parameters: {arguments: {--day: 2026-11-30, --at: 22:30,"
        " --most: .inf, --number: '7'}}, schedules: {a: {interval: 86400,"
        " anchor_date: 2026-11-30T04:00:00Z}}}}"
    )
    given = read_environment(file).deployments["glue-job"]
    arguments = {"--day": "2026-11-30", "--at": "22:30", "--most": ".inf", "--number": "7"}
    assert given.parameters == {"arguments": arguments}
    assert given.schedules["a"].anchor_date == "2026-11-30T04:00:00Z"
    assert main(["check", str(file)]) == 0


def test_the_example_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(ROOT / "deployments" / "example.yaml")]) == 0
    assert "all valid" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("row", "model"),
    [
        ("", Environment),
        ("`deployments`", Deployment),
        ("`schedules` of a deployment", Schedule),
        ("`concurrency_limit` of a deployment", ConcurrencyLimit),
        ("`work_pools`", WorkPool),
        ("`concurrency_limits`", GlobalLimit),
        ("`automations`", Automation),
    ],
)
def test_the_page_has_every_key(row: str, model: type[BaseModel]) -> None:
    """In its row of the table; those of the file in the first column."""
    page = (ROOT / "docs" / "how-to" / "deployments.md").read_text()
    rows = re.findall(r"^\| (`.+?) \| (.+) \|$", page, re.MULTILINE)
    cells = [keys if row else name for name, keys in rows if name.startswith(row)]
    named = set(re.findall(r"`(\w+)`", " ".join(cells)))
    assert [key for key in model.model_fields if key not in named] == []


def test_files_of_the_same_name_are_different_environments(tmp_path: Path) -> None:
    names = {name_of(Environment(), tmp_path / each / "production.yaml") for each in "ab"}
    assert len(names) == 2


def test_a_file_in_the_checkout_is_the_same_wherever_the_checkout_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = Path("deployments", "production.yaml")
    monkeypatch.chdir(ROOT / "docs")
    for path in (ROOT / file, ".." / file):
        assert name_of(Environment(), path) == "deployments/production.yaml"


def test_a_name_in_the_file_holds_wherever_the_file_is(tmp_path: Path) -> None:
    assert name_of(Environment(name="team-a"), tmp_path / "production.yaml") == "team-a"
    assert name_of(Environment(), None) == WITHOUT_FILE


@pytest.mark.parametrize("command", [["up"], ["down"], ["up", "--dry-run"]])
def test_without_a_server_it_says_so_in_a_sentence(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Prefect by itself would start one, and forget all that was set up when the command ends."""
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "PREFECT_API_URL is not set" in line


def test_undoing_needs_none_of_the_variables_that_setting_up_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor deployments that this version has no more. It gets as far as the server."""
    file = tmp_path / "production.yaml"
    file.write_text(
        "blocks: {flink-rest-cluster/a: {url: 'https://f', token: {env: NOT_THERE}}}\n"
        "deployments: {deployment-of-before: {}}\n"
    )
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert main(["down", str(file)]) == 2
    assert "PREFECT_API_URL is not set" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["deployments/production.yaml", "/srv/flows/production.yaml"])
def test_a_renamed_file_goes_on_under_its_old_path(path: str, tmp_path: Path) -> None:
    file = tmp_path / "prod.yaml"
    file.write_text(f"name: {path}")
    assert name_of(read_environment(file), file) == path

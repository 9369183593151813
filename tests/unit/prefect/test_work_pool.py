"""The template that the README makes the work pool with."""

from __future__ import annotations

import json
from pathlib import Path

from prefect.workers.process import ProcessWorker

TEMPLATE = Path(__file__).resolve().parents[3] / "infra" / "process_work_pool.json"


def test_the_template_is_prefects_own_with_the_engine_as_the_command() -> None:
    """Without a command, a process worker starts two interpreters for each flow run."""
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    command = template["variables"]["properties"]["command"].pop("default")
    expected = ProcessWorker.get_default_base_job_template()
    expected["variables"]["properties"]["command"].pop("default")
    assert command == "python -m prefect.engine"
    assert template == expected

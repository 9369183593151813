"""What commands print: JSON that a program reads, and lines that a person reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from infra.command_output import print_outcome, story_log


def test_a_time_is_iso_8601_with_its_zone(capsys: pytest.CaptureFixture[str]) -> None:
    print_outcome({"until": datetime(2026, 11, 29, 12, tzinfo=UTC), "name": "Zürich"})
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"until": "2026-11-29T12:00:00+00:00", "name": "Zürich"}


def test_steps_are_lines_without_level_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where Prefect has set logging up; what a service said does nothing to a terminal."""
    log = story_log("test")
    log.info("Stopping run %s", "jr_1\x1b[2J")
    log.debug("a detail")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "Stopping run jr_1\\x1b[2J\n")

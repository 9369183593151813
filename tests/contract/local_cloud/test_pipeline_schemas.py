"""The pipelines of ci/ against the schemas that their services publish."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).resolve().parents[3] / "ci"
AZURE = (
    "vendor.azure-pipelines",
    # Azure's schema has patterns that are none in Unicode mode; the transform resolves templates.
    *("--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"),
)
GITHUB = ("vendor.github-workflows",)
BOTH = pytest.mark.parametrize(
    ("name", "schema"), [("azure-pipelines.yml", AZURE), ("github-actions.yml", GITHUB)]
)


def checked(pipeline: Path, schema: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *schema, str(pipeline)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@BOTH
def test_a_pipeline_is_what_its_service_takes(name: str, schema: tuple[str, ...]) -> None:
    result = checked(CI / name, schema)
    assert result.returncode == 0, result.stdout


@BOTH
def test_a_pipeline_with_a_misspelled_step_is_found_out(
    name: str, schema: tuple[str, ...], tmp_path: Path
) -> None:
    """The check can fail: the service would refuse this file when it is pushed."""
    step = {"azure-pipelines.yml": "- script:", "github-actions.yml": "runs-on:"}[name]
    broken = tmp_path / name
    broken.write_text((CI / name).read_text().replace(step, step.replace("s", "z", 1), 1))
    result = checked(broken, schema)
    assert result.returncode == 1
    assert "Schema validation errors were encountered" in result.stdout

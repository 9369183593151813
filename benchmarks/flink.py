"""What this project adds to bare REST calls on a real Flink, and when it learns of a job's end.

    python -m benchmarks.flink

Starts a Flink cluster and a Prefect server of its own. Writes the sections of
docs/contributing/benchmarks-flink.md.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from benchmarks.flink_detection import Detection, detection_rows, real_detections, simulated
from benchmarks.flink_submit import Submitter, measure_submits, submit_rows
from benchmarks.report import DOCS, write_section
from benchmarks.stands.flink_plot import scatter
from localcloud.config import CloudConfig
from localcloud.flink.part import FlinkPart
from localcloud.web.wire import Wire

PLOT = DOCS / "images" / "flink-detection.svg"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=7, help="launches of each kind")
    repeat = parser.parse_args().repeat
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as directory, flink(Path(directory)) as part:
        with Submitter(part.access, Path(directory)) as submitter:
            submits = submit_rows(measure_submits(submitter, repeat))
        real = real_detections(part.access)
    model = simulated()
    text = "\n".join([*machine(), "", *submits])
    write_section("submit", text)
    detected = [*detection_rows("Simulated", model), "", *detection_rows("Real jobs", real)]
    write_section("detection", "\n".join(detected))
    PLOT.write_text(plot(model), encoding="utf-8")
    print(text, *detected, sep="\n")


@contextmanager
def flink(directory: Path) -> Iterator[FlinkPart]:
    """A session cluster behind the recording proxy."""
    part = FlinkPart(CloudConfig(state_dir=directory / "cloud", flink_task_slots=8), Wire())
    part.start()
    try:
        yield part
    finally:
        part.stop()


def machine() -> list[str]:
    """What it was measured with."""
    return [
        f"Flink {version('apache-flink-libraries')}, Prefect {version('prefect')}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores."
    ]


def plot(model: list[Detection]) -> str:
    """Detection delay against calls per minute, as an SVG."""
    series: dict[str, list[tuple[str, float, float]]] = {}
    for each in model:
        point = (each.lasted, each.calls_per_minute, each.mean_delay_seconds)
        series.setdefault(each.pace, []).append(point)
    return scatter(
        "How late a job's end is seen, and what polling costs",
        ("REST calls per minute", "mean delay in seconds"),
        series,
    )


if __name__ == "__main__":
    main()

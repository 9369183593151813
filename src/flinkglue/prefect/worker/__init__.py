"""A worker that runs flow runs as threads of its own process: `prefect worker start --type thread`.

Prefect finds it by the entry point `prefect.collections` of this distribution.
"""

from flinkglue.prefect.worker.worker import ThreadWorker

__all__ = ["ThreadWorker"]

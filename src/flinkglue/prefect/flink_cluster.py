"""The Flink cluster that a flow acts on: what every block that means one offers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from flinkglue.clock import Clock
from flinkglue.flink.jars.sources import JarSource
from flinkglue.lifecycle.backend import FlinkBackend


class FlinkCluster(Protocol):
    """What both cluster blocks offer."""

    @property
    def savepoint_directory(self) -> str | None:
        """Where savepoints are written; None: where the cluster is configured to."""

    @property
    def dashboard_url(self) -> str | None:
        """What a person opens in a browser, where it is known."""

    @property
    def journal_name(self) -> str:
        """What its jobs are recorded under: the same for every block that means this cluster."""

    @property
    def launch_seconds(self) -> float:
        """How long a launch of an interrupted run is waited for."""

    def get_backend(self, clock: Clock | None = None) -> AbstractContextManager[FlinkBackend]:
        """The cluster as a place for the eleven actions, until the block ends."""

    def get_jars(self) -> JarSource:
        """Where its job jars are read from."""

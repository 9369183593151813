"""What the environment of a worker may set."""

from __future__ import annotations

from dataclasses import dataclass

from flinkglue.prefect.store.lease_setting import lease_seconds_in

DEFAULT_LIMIT = 100


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker takes part in its pool.

    Args:
        lease_seconds: After how long without a sign of life of this worker others adopt its runs.
        drain_seconds: How long SIGTERM waits for processes, and flow runs that do not just wait,
            before it leaves them to others.
    """

    lease_seconds: float = 60.0
    drain_seconds: float = 15.0

    @classmethod
    def from_environment(cls) -> WorkerSettings:
        """As `FLINKGLUE_WORKER_LEASE_SECONDS` and `FLINKGLUE_WORKER_DRAIN_SECONDS` say.

        Raises:
            InvalidInput: One of them is no number in its range.
        """
        lease, drain = "FLINKGLUE_WORKER_LEASE_SECONDS", "FLINKGLUE_WORKER_DRAIN_SECONDS"
        return cls(
            lease_seconds=lease_seconds_in(lease, cls.lease_seconds, least=2),
            drain_seconds=lease_seconds_in(drain, cls.drain_seconds, least=0, most=86400),
        )

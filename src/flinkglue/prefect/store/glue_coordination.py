"""What Glue flow runs agree on through the Prefect server: locks, claims, cooldowns, orders.

Whatever a killed process held is free again after its lease. The original orders of jobs have none:
they are kept until somebody puts them back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flinkglue.glue.coordination.run_context import Coordination, coordination_over
from flinkglue.prefect.store.server_records import server_records
from flinkglue.prefect.store.variable_locks import VariableLocks


@contextmanager
def coordination_on_server() -> Iterator[Coordination]:
    """What all flow runs of this Prefect server agree on."""
    with server_records() as records:
        yield coordination_over(records, VariableLocks(records))

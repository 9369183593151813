"""Where a Glue job is, as far as artifacts of flow runs keep jobs of one name apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JobPlace:
    """An account and a region, by the names under which flow runs know them.

    Unlike the number of the account, they are known to every process of a flow run, and at any
    time.

    Args:
        name: ``prod eu-west-1``: the AWS Credentials block and the region; empty for the usual
            block in its own region.
        earlier_names: What an earlier version, or a process with another default region, may have
            named the same place for a flow run that goes on.
    """

    name: str = ""
    earlier_names: tuple[str, ...] = ()

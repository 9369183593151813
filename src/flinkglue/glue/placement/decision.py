"""The record of one choice: enough to see why, and to make the same choice again. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flinkglue.glue.models import RankedConnection, Ranking
from flinkglue.glue.placement.shortage import ShortagePolicy, WhenNothingFits
from flinkglue.glue.run_request import RunRequest
from flinkglue.markdown import NOTHING, bold, code_span, join, text
from flinkglue.texts import one_line

EVIDENCE_CHARACTERS = 100  # in a table; the page of the run that failed has all of it


def ranking_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """The ranking as a table, one row per connection in the order to try them.

    *Given as* is the place in the person's own order; *Live runs* counts those in the zone that are
    starting, and with strategy spread also this job's running ones. What decides comes first: a
    page hides the columns that it has no room for, and wraps no cell.
    """
    return [
        {
            "Place": ranked.place,
            "Connection": one_line(ranked.connection_name),
            "Why": why(ranked, ranking.needed_addresses),
            "Zone": ranked.availability_zone or NOTHING,
            "Live runs": ranked.live_runs_in_zone,
            "Given as": ranked.position + 1,
            "Free": NOTHING if ranked.free_addresses is None else ranked.free_addresses,
            "Reserved": ranked.reserved_addresses,
            "Last failure": _last_failure(ranked),
            "Subnet": ranked.subnet_id or NOTHING,
            "CIDR": ranked.cidr_block or NOTHING,
            "Group": ranked.group.value,
        }
        for ranked in ranking.connections
    ]


def ranking_description(
    ranking: Ranking, request: RunRequest, shortage: ShortagePolicy, refusal: str = ""
) -> str:
    """What stands beside the table: what was requested, what decided, what came out.

    Args:
        refusal: Why no run is started, if none is.
    """
    choice = text(f"no run is started. {refusal}.") if refusal else _choice(ranking)
    lines = [
        join(f"Attempt {request.number} of job ", bold(request.job_name), ": ", choice),
        f"Strategy {code_span(ranking.strategy)} with seed {ranking.seed}. *Given as* is the "
        "connection's place before that.",
        f"A run needs {ranking.needed_addresses} addresses: {text(ranking.needed_because)}. "
        f"When no subnet has them: {_in_words(shortage)}.",
        "*Free* is what EC2 counts; of these, *Reserved* are kept for runs that are starting.",
    ]
    if ranking.kept:
        lines.append(
            "The previous attempt's order was kept: its failure was not the connection's fault."
        )
    if left_out := ranking.missing_names:
        lines.append(text(f"Left out of the job, as they do not exist: {', '.join(left_out)}."))
    return "\n\n".join(lines)


def _choice(ranking: Ranking) -> str:
    expected = ranking.expected
    if not ranking.connections:
        return "the job has no connections, so it takes no addresses."
    if expected is None:
        return "no connection is known to have a free address; Glue decides."
    if expected.unread:
        return join(
            "no subnet is known to have room, and ",
            bold(expected.connection_name),
            " could not be read, so it may have; Glue decides.",
        )
    return join(
        "Glue should take ",
        bold(expected.connection_name),
        f", whose subnet has {expected.unreserved_addresses} addresses free and not reserved "
        f"({expected.group.value}).",
    )


def _in_words(shortage: ShortagePolicy) -> str:
    if shortage.when_nothing_fits is WhenNothingFits.WAIT:
        minutes = f"{shortage.wait_seconds / 60:g} minutes"
        return f"wait for {minutes}, then run on the best usable connection"
    if shortage.when_nothing_fits is WhenNothingFits.USE_BEST:
        return (
            "run on the best usable connection, and wait up to "
            f"{shortage.wait_seconds / 60:g} minutes for one"
        )
    return "do not run"


def why(ranked: RankedConnection, needed_addresses: int) -> str:
    """Why the connection has its place: what its subnet has, and what speaks against it."""
    if ranked.free_addresses is None:
        room = ranked.group.value
    else:
        usable = ranked.unreserved_addresses
        room = f"{ranked.group.value}: {usable} addresses, {needed_addresses} needed"
    return "; ".join(part for part in (room, note(ranked)) if part)


def note(ranked: RankedConnection) -> str:
    """What speaks against the connection; empty: nothing."""
    notes: list[str] = []
    if ranked.missing:
        notes.append("left out of the job")
    if ranked.problem:
        notes.append(ranked.problem)
    if ranked.failed_before:
        notes.append("failed in this flow run")
    if cool_down := ranked.cooled_down:
        until = f" (on cooldown until {_time(cool_down.until)})" if cool_down.until else ""
        notes.append(f"failed recently{until}")
    return one_line("; ".join(notes))


def _last_failure(ranked: RankedConnection) -> str:
    cool_down = ranked.cooled_down
    if not cool_down:
        return NOTHING
    since = f"{_time(cool_down.since)}: " if cool_down.since else ""
    return one_line(f"{since}{cool_down.evidence[:EVIDENCE_CHARACTERS]}")


def _time(time: datetime) -> str:
    return f"{time:%H:%M:%S} UTC"

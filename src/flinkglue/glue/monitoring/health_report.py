"""What a person reads about the connections. Pure: from values to markdown."""

from __future__ import annotations

from collections.abc import Sequence

from flinkglue.glue.console import Console
from flinkglue.glue.monitoring.health import ConnectionHealth
from flinkglue.markdown import NOTHING, Markup, bar, bold, join, link, table
from flinkglue.texts import counted


def health_markdown(
    found: Sequence[ConnectionHealth], minimum_free_addresses: int, console: Console
) -> str:
    """All connections as a table; the bar shows the usable share of the whole subnet."""
    below = [each for each in found if each.is_below_threshold]
    outcome = f"{len(below)} of {len(found)} below the threshold" if below else "all can hold a run"
    parts = [
        f"# Glue connections: {outcome}",
        table(
            (
                "Connection",
                "Condition",
                "Usable",
                "Failures",
                "Zone",
                "Free",
                "Reserved",
                "Subnet",
            ),
            [_row(each, console) for each in found],
        ),
        f"*Usable* addresses are free and not reserved for a run that is starting; fewer than "
        f"{minimum_free_addresses} are too few. The bar is their share of the subnet.",
    ]
    reasons = [(each.connection_name, each.reason) for each in found if each.reason]
    if reasons:
        # A list, because the lines of a table do not wrap.
        parts += ["## Why", *(join(bold(name), ": ", why) for name, why in reasons)]
    failures = [(each.connection_name, each.failures) for each in found if each.failures]
    if failures:
        parts += [
            "## Recent failures",
            *(join(bold(name), " ", what.describe()) for name, what in failures),
        ]
    return "\n\n".join(parts)


def health_in_words(found: Sequence[ConnectionHealth]) -> str:
    """``1 of 2 connections can hold a run; b: short of addresses``."""
    below = [each for each in found if each.is_below_threshold]
    well = f"{len(found) - len(below)} of {counted(len(found), 'connection')} can hold a run"
    return "; ".join(
        [well, *(f"{each.connection_name}: {each.condition.in_words}" for each in below)]
    )


def _row(health: ConnectionHealth, console: Console) -> Sequence[str]:
    subnet, zone = health.subnet_id, health.availability_zone
    usable, total = health.usable_addresses, health.total_addresses
    condition = health.condition.in_words
    return (
        health.connection_name,
        bold(condition) if health.is_below_threshold else condition,
        Markup(f"`{bar(usable / total)}` {usable:,} of {total:,}")
        if usable is not None and total
        else _count(usable),
        _failures(health),
        f"{zone} ({health.zone_state or 'state not read'})" if zone else NOTHING,
        _count(health.free_addresses),
        _count(health.reserved_addresses),
        link(subnet, console.subnet(subnet)) if subnet else NOTHING,
    )


def _failures(health: ConnectionHealth) -> str:
    if health.failures is None:
        return NOTHING
    times = health.failures.failed_at
    return f"{len(times)}, last {times[-1]:%m-%d %H:%M} UTC"


def _count(number: int | None) -> str:
    return NOTHING if number is None else f"{number:,}"

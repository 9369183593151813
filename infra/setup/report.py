"""What was done, or would be, in words and as JSON; secrets are in neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TextIO

from flinkglue.texts import printable
from infra.setup.fields import FieldChange
from infra.setup.kinds.kind import Kind
from infra.setup.plan import Step, Verb


def print_step(step: Step, to: TextIO | None = None) -> None:
    """One line for an object, and one for each field; nothing for what stays as it is.

    Args:
        to: Where; None: standard output.
    """
    if step.verb is Verb.SAME and not step.kept:
        return
    of_code = step.kind.of_code - step.kind.of_checkout
    note = f": {step.note}" if step.note else ""
    print(printable(f"{step.verb:9} {step.kind.noun} {step.name}{note}"), file=to, flush=True)
    for change in step.changes:
        is_of_code = change.path in of_code
        line = f"{change.path}: as the code has it" if is_of_code else _line(step.kind, change)
        print(printable(f"            {line}"), file=to, flush=True)
    for change in step.kept:
        by = f"it was set from {change.set_by}" if change.set_by else "someone changed it"
        print(
            printable(f"          ! {_line(step.kind, change)}  ({by}; it stays)"),
            file=to,
            flush=True,
        )


def print_summary(steps: Sequence[Step], *, dry_run: bool) -> None:
    """How many of what, and what to do about what stays."""
    counts = Counter(step.verb for step in steps)
    words = ", ".join(f"{counts[verb]} {verb}" for verb in Verb if counts[verb])
    print(f"{'Dry run, nothing was done: ' if dry_run else ''}{words or 'nothing to do'}")
    if any(step.kept for step in steps):
        print("Fields marked ! differ from the file. Copy them into it, or give --overwrite.")


def as_json(steps: Sequence[Step], *, dry_run: bool) -> dict[str, Any]:
    """The same for a program."""
    return {
        "dry_run": dry_run,
        "steps": [
            {
                "verb": str(step.verb),
                "kind": step.kind.noun,
                "name": step.name,
                "note": step.note,
                "changes": [_fields(step.kind, each) for each in step.changes],
                "kept": [{**_fields(step.kind, each), "set_by": each.set_by} for each in step.kept],
            }
            for step in steps
        ],
    }


def _line(kind: Kind, change: FieldChange) -> str:
    path, before, after = kind.shown(change)
    return printable(f"{path}: {before} → {after}")


def _fields(kind: Kind, change: FieldChange) -> dict[str, str]:
    return dict(zip(("field", "before", "after"), kind.shown(change), strict=True))

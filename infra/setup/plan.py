"""What is to be done, decided before anything is: a plan is a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from infra.setup.fields import FieldChange, differences
from infra.setup.kinds.kind import Kind, Observed
from infra.setup.record import WITHOUT_FILE, Applied, AppliedRecords


class Verb(StrEnum):
    """What becomes of an object."""

    CREATE = "create"
    CHANGE = "change"
    SAME = "unchanged"
    DELETE = "delete"
    LEFT = "left"


@dataclass(frozen=True)
class Step:
    """One object: what becomes of it, which fields change, and which stay unless overwritten.

    `is_released` says that the file gives up an object that is left.
    """

    kind: Kind
    name: str
    verb: Verb
    observed: Observed | None = None
    changes: Sequence[FieldChange] = ()
    kept: Sequence[FieldChange] = ()
    note: str = ""
    is_released: bool = False
    applied: Applied | None = field(default=None, compare=False)


def plan_of(
    kinds: Sequence[Kind],
    records: AppliedRecords,
    environment: str,
    *,
    overwrite: bool = False,
    prune: bool = False,
) -> list[Step]:
    """What a set-up does, in order.

    Args:
        kinds: What the file names.
        records: What was applied before.
        environment: The name of the file's environment.
        overwrite: Take the file's values for fields that a person or another file changed.
        prune: Delete what was created from this file and is not in it any more.
    """
    steps = [
        _step(kind, name, records.of(kind.noun, name), environment, overwrite)
        for kind in kinds
        for name in kind.desired()
    ]
    gone = [*_gone(kinds, records, environment)]
    for kind, applied in gone:
        if prune:
            steps.append(removal(kind, applied, environment))
        else:
            note = "it is no longer in the file; --prune deletes it"
            steps.append(Step(kind, applied.name, Verb.LEFT, note=note, applied=applied))
    return steps


def removal_of(kinds: Sequence[Kind], records: AppliedRecords, environment: str) -> list[Step]:
    """What undoing a set-up does: the last is deleted first.

    What was there before stays, and what other files name.
    """
    nouns = [kind.noun for kind in kinds]
    ours = sorted(records.of_environment(environment), key=lambda each: nouns.index(each.noun))
    by_noun = {kind.noun: kind for kind in kinds}
    return [removal(by_noun[each.noun], each, environment) for each in reversed(ours)]


def _step(
    kind: Kind, name: str, applied: Applied | None, environment: str, overwrite: bool
) -> Step:
    observed = kind.observe(name)
    fields = kind.desired()[name]
    if observed is None:
        kind.check(name, None, ())
        return Step(kind, name, Verb.CREATE, note=kind.creation_note(name), applied=applied)
    found = [
        *differences(
            fields,
            observed.fields,
            applied.of(environment) if applied else {},
            others=applied.others(environment) if applied else {},
            of_code=kind.of_code,
            secret=kind.secret(name),
        )
    ]
    changes = [each for each in found if overwrite or not each.needs_overwrite]
    kept = [each for each in found if each not in changes]
    kind.check(name, observed, changes)
    verb = Verb.CHANGE if changes else Verb.SAME
    return Step(kind, name, verb, observed, changes, kept, applied=applied)


def _gone(
    kinds: Sequence[Kind], records: AppliedRecords, environment: str
) -> Sequence[tuple[Kind, Applied]]:
    by_noun = {kind.noun: kind for kind in kinds}
    return [
        (by_noun[each.noun], each)
        for each in reversed(records.of_environment(environment))
        if each.created and each.name not in by_noun[each.noun].desired()
    ]


def removal(kind: Kind, applied: Applied, environment: str) -> Step:
    """What becomes of an object that a file gives up."""
    others = applied.marks.keys() - {environment}
    if not others and applied.created:
        return Step(kind, applied.name, Verb.DELETE, applied=applied)
    files = ", ".join(sorted(others - {WITHOUT_FILE}))
    note = "it existed before it was set up from this file"
    if others and applied.created:
        note = f"it is set up {f'from {files}' if files else 'without a file'}, too"
    return Step(kind, applied.name, Verb.LEFT, note=note, is_released=True, applied=applied)

"""Does what a plan says, and writes down what was applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from infra.setup.fields import ABSENT, applied_after
from infra.setup.kinds.kind import Observed
from infra.setup.plan import Step, Verb
from infra.setup.record import WITHOUT_FILE, Applied, AppliedRecords


def execute(
    steps: Sequence[Step],
    records: AppliedRecords,
    environment: str,
    report: Callable[[Step], None],
) -> list[Step]:
    """Do the steps in order.

    An object is written down before it is created, so that one whose creation was interrupted is
    still known as set up from this file.

    Returns:
        The steps as they were done.
    """
    done = []
    for step in steps:
        done.append(_DONE[step.verb](step, records, environment))
        report(done[-1])
    return done


def _create(step: Step, records: AppliedRecords, environment: str) -> Step:
    fields = step.kind.desired()[step.name]
    records.keep(Applied(step.kind.noun, step.name, environment, created=True))
    step.kind.create(step.name, fields)
    _keep(replace(step, observed=Observed(fields), applied=None), records, environment, True)
    return step


def _change(step: Step, records: AppliedRecords, environment: str) -> Step:
    assert step.observed is not None, "it is there"
    step.kind.update(step.name, step.observed, step.changes)
    after = {**step.observed.fields, **{each.path: each.after for each in step.changes}}
    after = {path: value for path, value in after.items() if value is not ABSENT}
    _keep(replace(step, observed=Observed(after)), records, environment, False)
    return step


def _same(step: Step, records: AppliedRecords, environment: str) -> Step:
    _keep(step, records, environment, False)
    return step


def _delete(step: Step, records: AppliedRecords, environment: str) -> Step:
    assert step.applied is not None, "it was set up"
    if used_by := step.kind.is_in_use(step.name):
        return replace(step, verb=Verb.LEFT, note=f"{used_by} uses it")
    step.kind.delete(step.name)
    records.forget(step.applied)
    return step


def _leave(step: Step, records: AppliedRecords, environment: str) -> Step:
    return step


def _keep(step: Step, records: AppliedRecords, environment: str, created: bool) -> None:
    assert step.observed is not None, "it is there now"
    before = step.applied
    marks = applied_after(
        step.kind.desired()[step.name],
        step.observed.fields,
        before.marks if before else {},
        takes_back=before is None or before.environment == environment,
        of_code=step.kind.of_code,
        secret=step.kind.secret(step.name),
    )
    was_created = created or (before is not None and before.created)
    # What the files of two environments name belongs to the one that was first, and what was set up
    # without a file to the first file that names it.
    is_owned = before is not None and before.environment != WITHOUT_FILE
    owner = before.environment if before and is_owned else environment
    records.keep(Applied(step.kind.noun, step.name, owner, was_created, marks))


_DONE = {
    Verb.CREATE: _create,
    Verb.CHANGE: _change,
    Verb.SAME: _same,
    Verb.DELETE: _delete,
    Verb.LEFT: _leave,
}

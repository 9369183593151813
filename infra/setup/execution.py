"""Does what a plan says, and writes down what was applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from infra.setup.fields import ABSENT, applied_after
from infra.setup.kinds.kind import Observed
from infra.setup.plan import Step, Verb, removal
from infra.setup.record import Applied, AppliedRecords


def execute(
    steps: Sequence[Step],
    records: AppliedRecords,
    environment: str,
    report: Callable[[Step], None],
) -> list[Step]:
    """Do the steps in order.

    An object is recorded as created after the server says so: one whose creation was refused or
    interrupted may be somebody else's, and is never deleted.

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
    if step.applied is not None:
        records.disown(step.applied)
    step.kind.create(step.name, fields)
    _keep(replace(step, observed=Observed(fields)), records, environment, True)
    return step


def _change(step: Step, records: AppliedRecords, environment: str) -> Step:
    assert step.observed is not None, "it exists"
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
    now = records.now(step.applied)
    if now is None:
        return replace(step, verb=Verb.LEFT, note="another command undid it meanwhile")
    step = removal(step.kind, now, environment)
    if step.verb is not Verb.DELETE:
        return _leave(step, records, environment)
    if used_by := step.kind.is_in_use(step.name):
        return replace(step, verb=Verb.LEFT, note=f"{used_by} uses it")
    step.kind.delete(step.name)
    records.forget(now)
    return step


def _leave(step: Step, records: AppliedRecords, environment: str) -> Step:
    if step.is_released:
        assert step.applied is not None, "it was set up"
        marks = {key: value for key, value in step.applied.marks.items() if key != environment}
        if marks:
            records.keep(replace(step.applied, marks=marks), environment)
        else:
            records.forget(step.applied)
    return step


def _keep(step: Step, records: AppliedRecords, environment: str, created: bool) -> None:
    assert step.observed is not None, "it exists now"
    before = step.applied or Applied(step.kind.noun, step.name)
    marks = applied_after(
        step.kind.desired()[step.name],
        step.observed.fields,
        before.of(environment),
        unmarked=step.kind.of_code - step.kind.of_checkout,
        secret=step.kind.secret(step.name),
    )
    records.keep(
        replace(
            before,
            created=created or before.created,
            marks={**before.others(environment), environment: marks},
        ),
        environment,
    )


_DONE = {
    Verb.CREATE: _create,
    Verb.CHANGE: _change,
    Verb.SAME: _same,
    Verb.DELETE: _delete,
    Verb.LEFT: _leave,
}

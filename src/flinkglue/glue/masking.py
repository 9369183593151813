"""Known secrets, taken out of what services answer. Pure.

Glue shows the arguments of a run to everybody who may read the run, so the values to mask are
learned from Glue itself: also when the run was started by a process that is gone, or with a value
that has been changed since.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote, quote_plus

from flinkglue.errors import CallFailed
from flinkglue.glue.models import JobRun

MASK = "***"

SHORTEST = 4
"""A shorter text is not masked: it stands in too many lines that have nothing to do with it."""


def can_be_masked(value: str) -> bool:
    """Whether a value has a line that is long enough to be searched for."""
    return any(_lines(value))


class Masking:
    """Replaces the values of some job arguments wherever they stand.

    A value is searched for as it is, line by line, and as JSON, Python and URLs write it. What else
    a script may make of it, such as an encoded or a shortened form, is not recognised.

    Args:
        names: The arguments whose values are secret; without any, nothing is masked.
        flow_run_id: Whose runs get the secrets; empty: every run that is read.
    """

    def __init__(self, names: Collection[str] = (), flow_run_id: str = "") -> None:
        self._names = frozenset(names)
        self._flow_run_id = flow_run_id
        self._texts: frozenset[str] = frozenset()
        self._learned_from: set[str] = set()

    def knows_secrets_of(self, run: JobRun) -> bool:
        """Whether a run's arguments were learned, or nothing is secret."""
        return not self._names or run.job_run_id in self._learned_from

    def has_learned(self, job_run_id: str) -> None:
        """Note that a run's arguments are known."""
        if self._names:
            self._learned_from.add(job_run_id)

    def learn_from(self, run: JobRun, arguments: Mapping[str, str]) -> None:
        """Know from now on what a run's secrets are, if it is one of those that get them."""
        is_meant = run.key.startswith(self._flow_run_id) if run.key else not self._flow_run_id
        if is_meant:
            self.learn(arguments)
        self.has_learned(run.job_run_id)

    def learn(self, arguments: Mapping[str, str]) -> None:
        """Know from now on what the secret ones among these arguments of a run are."""
        values = {arguments[name] for name in self._names & arguments.keys()}
        self._texts |= {text for value in values for text in _written_forms(value)}

    def text(self, text: str) -> str:
        """The text with ``***`` in place of each value."""
        while covered := _covered(text, self._texts):
            # Again, as what is left may have become a value by moving together.
            for start, end in reversed(covered):
                text = text[:start] + MASK + text[end:]
        return text

    def run(self, run: JobRun) -> JobRun:
        """The run with its messages masked."""
        if not self._texts:
            return run
        return replace(
            run,
            state_detail=run.state_detail and self.text(run.state_detail),
            error_message=run.error_message and self.text(run.error_message),
        )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Mask what a service says in its refusal, which may be what it was sent."""
        try:
            yield
        except CallFailed as error:
            if not self._names:
                raise
            raise self.error(error) from None

    def error(self, error: CallFailed) -> CallFailed:
        """The same failure with what the service said masked."""
        return type(error)(
            error.service,
            error.operation,
            error.resource,
            self.text(error.reason),
            status=error.status,
            code=error.code,
            request_id=error.request_id,
            advice=error.advice,
            retry_after_seconds=error.retry_after_seconds,
        )


def _written_forms(value: str) -> set[str]:
    lines = set(_lines(value))
    if not lines:
        return set()
    return {
        value,
        *lines,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        quote(value, safe="", errors="replace"),
        quote(value, errors="replace"),
        quote_plus(value, errors="replace"),
    }


def _lines(value: str) -> Iterator[str]:
    """The lines of a value, as a log shows them one by one."""
    return (line for line in map(str.strip, value.splitlines()) if len(line) >= SHORTEST)


def _covered(text: str, values: Collection[str]) -> list[tuple[int, int]]:
    """Where values stand, from the first on; values that overlap or touch are one piece."""
    found = sorted(
        (match.start(), match.start() + len(value))
        for value in values
        if value in text
        for match in re.finditer(f"(?={re.escape(value)})", text)
    )
    pieces: list[tuple[int, int]] = []
    for start, end in found:
        if pieces and start <= pieces[-1][1]:
            began, ended = pieces.pop()
            pieces.append((began, max(ended, end)))
        else:
            pieces.append((start, end))
    return pieces

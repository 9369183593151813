"""A pattern of a failure rule, whatever it is, holds a flow run for no more than a moment."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from flinkglue.glue.failures.classification import classify
from flinkglue.glue.failures.own_rules import MOST_RULES, FailureRule, FailureRules
from flinkglue.glue.failures.patterns import (
    MATCHED_CHARACTERS,
    MATCHED_SECONDS,
    TooSlow,
    check_pattern,
    found_in,
)
from flinkglue.glue.failures.rule import FailureClass

MOMENT = 2.0  # of processor time: a busy machine is none of the pattern's doing
LONG = "a" * (MATCHED_CHARACTERS - 1) + "!"
HOSTILE = (
    "(a+)+$",
    "(a|aa)+$",
    "(a*)*b",
    "(.*)*x",
    "(x+x+)+y",
    ".*" * 200 + "b",
    "a.*" * 100 + "b",
    "(?=.*b)" * 40,
    "(?:a|b|ab)*" * 40 + "c",
    r"(.+)\1\1\1b",
    "(a?){500}a{500}",
    "(?:a{99}){99}b",
    "[\0-\U0010ffff]" * 90,
    "(" * 13 + "a" + ")+" * 12 + ")b",
)
SIGNS = st.sampled_from(
    [
        r"a",
        r"b",
        r".",
        r"*",
        r"+",
        r"?",
        r"|",
        r"(",
        r")",
        r"(?:",
        r"(?=",
        r"(?<!",
        r"[ab]",
        r"[^a]",
        r"{2}",
        r"{,9}",
        r"{3,}",
        r"^",
        r"$",
        r"\b",
        r"\w",
        r"\1",
        r"*?",
        r"++",
        r"(?>",
    ]
)
PATTERNS = st.lists(SIGNS, min_size=1, max_size=30).map("".join)


def seconds_for(pattern: str, text: str) -> float:
    """The processor time of filling in a pattern and matching it."""
    began_at = time.process_time()
    with suppress(ValidationError, TooSlow):
        FailureRule(pattern=pattern, action="wait").matches(text)
    return time.process_time() - began_at


@pytest.mark.parametrize("pattern", HOSTILE)
@pytest.mark.parametrize("text", [LONG, "a" * 40 + "!"])
def test_a_hostile_pattern_takes_a_moment(pattern: str, text: str) -> None:
    assert seconds_for(pattern, text) < MOMENT


@given(pattern=PATTERNS, unit=st.text("ab ", min_size=1, max_size=3))
def test_any_pattern_takes_a_moment(pattern: str, unit: str) -> None:
    assert (
        seconds_for(pattern, (unit * MATCHED_CHARACTERS)[: MATCHED_CHARACTERS - 1] + "!") < MOMENT
    )


def test_a_usual_rule_takes_a_hundredth_of_its_bound() -> None:
    """Else an ordinary one could be given up on a slow machine."""
    usual = (
        r"java\.net\.(SocketException|ConnectException): .*(reset|refused) by peer \(host [\w.-]+\)"
    )
    text = "An error occurred while calling o103.pyWriteDynamicFrame. " * 170
    found_in(usual, text)  # compiled
    began_at = time.process_time()
    for _ in range(10):
        assert not found_in(usual, text)
    assert (time.process_time() - began_at) / 10 < MATCHED_SECONDS / 25


@pytest.mark.parametrize(
    "pattern",
    [
        "(" * 60 + "a" + ")+" * 60,  # compiled, it would take all memory
        "(?:a{1000}){1000}",
        "(?x) a {3}",
        "[[:alpha:]]",  # a letter for regex, other signs for re
        "job {e}",  # anything like it for regex
        r"(?R)",
        r"\p{Lu}",
    ],
)
def test_what_would_blow_up_or_is_another_pattern_elsewhere_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        FailureRule(pattern=pattern, action="wait")


@given(
    pattern=st.lists(SIGNS, min_size=1, max_size=8).map("".join), text=st.text("abA \n", max_size=8)
)
def test_a_pattern_means_what_pythons_documentation_says(pattern: str, text: str) -> None:
    try:
        check_pattern(pattern)
    except ValueError:
        return
    expected = re.search(pattern, text, re.IGNORECASE | re.DOTALL) is not None
    assert found_in(pattern, text) == expected


def test_a_rule_that_is_given_up_does_not_count_and_is_named() -> None:
    rules = [
        FailureRule(pattern="(a+)+$", action="wait"),
        FailureRule(pattern="a!", action="fail_over", advice="ask the network team"),
    ]
    judged = classify("FAILED", LONG, own_rules=rules)
    assert judged.failure_class is FailureClass.FAIL_OVER
    assert judged.advice.startswith("ask the network team; the rule '(a+)+$' of this flow run was")
    alone = classify("FAILED", LONG, own_rules=rules[:1])
    assert alone.failure_class is FailureClass.STOP
    assert "stopped after 0.25 s" in alone.advice


def test_a_rule_that_stops_also_does_when_it_is_given_up() -> None:
    """Nobody knows whether it is about the message: another run may be what it forbids."""
    rules = [
        FailureRule(pattern="a{99}b", action="wait"),
        FailureRule(pattern="(a+)+$", action="stop", advice="ask finance first"),
        FailureRule(pattern="a!", action="fail_over"),
    ]
    judged = classify("FAILED", LONG, own_rules=rules)
    assert judged.failure_class is FailureClass.STOP
    assert judged.advice.startswith("ask finance first; the rule '(a+)+$' of this flow run was")
    assert "counts as if it matched" in judged.advice


def test_a_pattern_is_not_charged_for_what_other_threads_do() -> None:
    """A worker runs many flow runs as threads of one process."""
    pattern, length = "a.*a.*b", 200
    while own_seconds(pattern, "a" * length) < MATCHED_SECONDS / 2:
        length = int(length * 1.1)
    assert length < MATCHED_CHARACTERS
    with busy_threads(2):
        assert not found_in(pattern, "a" * length)


def own_seconds(pattern: str, text: str) -> float:
    began_at = time.thread_time()
    regex.search(pattern, text, regex.IGNORECASE | regex.DOTALL)
    return time.thread_time() - began_at


@contextmanager
def busy_threads(count: int) -> Iterator[None]:
    is_over = threading.Event()
    data = bytes(1_000_000)

    def work() -> None:
        while not is_over.is_set():
            sha256(data)  # beside others: it releases the lock of the interpreter

    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def test_there_are_no_more_rules_than_take_a_moment_each() -> None:
    rule = {"pattern": "a", "action": "wait"}
    accepted = TypeAdapter(FailureRules)
    assert len(accepted.validate_python([rule] * MOST_RULES)) == MOST_RULES
    with pytest.raises(ValidationError, match="at most 20 items"):
        accepted.validate_python([rule] * (MOST_RULES + 1))

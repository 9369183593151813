"""Values of secret job arguments do not stay in texts."""

from __future__ import annotations

import json
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import InvalidInput, Throttled
from flinkglue.glue.inputs import check_secret_arguments
from flinkglue.glue.masking import Masking, can_be_masked
from flinkglue.glue.models import JobRun

PRIVATE_KEY = "-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B==\n-----END KEY-----\n"

# Few characters, the mask's own among them, so that values overlap, repeat and contain each other.
VALUES = st.lists(st.text("ab*\n'\"\\ /", min_size=1, max_size=8).filter(can_be_masked), max_size=4)


def knowing(*values: str) -> Masking:
    names = [f"--secret-{n}" for n in range(len(values))]
    masking = Masking(names)
    masking.learn({"--date": "2026-01-01", **dict(zip(names, values, strict=True))})
    return masking


@given(VALUES, st.data())
def test_no_known_value_remains_whatever_the_text(values: list[str], data: st.DataObject) -> None:
    pieces = st.sampled_from(values) if values else st.nothing()
    text = "".join(data.draw(st.lists(pieces | st.text("ab*\n'\"\\ /", max_size=3), max_size=8)))
    masked = knowing(*values).text(text)
    assert [value for value in values if value in masked] == []
    assert masked == text or values


@given(st.text(min_size=4).filter(can_be_masked), st.text(), st.text())
def test_values_may_have_any_characters(value: str, before: str, after: str) -> None:
    assert value not in knowing(value).text(f"{before}{value}{after}")


@given(VALUES, st.text("xyz 0123.:"))
def test_a_text_without_the_values_stays_as_it_is(values: list[str], text: str) -> None:
    assert knowing(*values).text(text) == text


@pytest.mark.parametrize(
    "shown",
    ["pass 'wörd'\\1", repr("pass 'wörd'\\1"), json.dumps("pass 'wörd'\\1"),
     "https://db?password=" + quote_plus("pass 'wörd'\\1")],
)  # fmt: skip
def test_a_value_is_recognised_as_programs_write_it(shown: str) -> None:
    masked = knowing("pass 'wörd'\\1").text(f"connecting with {shown}")
    assert "rd" not in masked.removeprefix("connecting with https://db?password=")


def test_a_value_of_several_lines_is_masked_line_by_line() -> None:
    """A log shows each on its own; CloudWatch keeps no more than that."""
    masking = knowing(PRIVATE_KEY)
    assert {masking.text(f"  {line}") for line in PRIVATE_KEY.splitlines()} == {"  ***"}
    assert masking.text(f"key: {PRIVATE_KEY!r}") == "key: '***'"


def test_only_the_values_of_secret_arguments_are_masked() -> None:
    assert knowing("hunter2").text("2026-01-01 hunter2") == "2026-01-01 ***"


def test_what_was_known_before_stays_known() -> None:
    """Attempts of one flow run may get different values, when a secret was changed in between."""
    masking = knowing("old-value")
    masking.learn({"--secret-0": "new-value"})
    assert masking.text("old-value new-value") == "*** ***"


def test_the_messages_of_a_run_and_of_a_refusal_are_masked() -> None:
    masking = knowing("hunter2")
    run = JobRun("nightly", "jr_1", "FAILED", "waits with hunter2", "failed with hunter2")
    assert masking.run(run).describe() == "FAILED: failed with ***"
    assert masking.run(run).state_detail == "waits with ***"
    refusal = Throttled(
        "AWS Glue", "StartJobRun", "job nightly", "Value 'hunter2' is no good",
        status=400, code="ThrottlingException", request_id="r-1", advice="later",
    )  # fmt: skip
    masked = masking.error(refusal)
    assert type(masked) is Throttled
    assert str(masked) == str(refusal).replace("hunter2", "***")
    assert (masked.code, masked.advice) == ("ThrottlingException", "later")


@pytest.mark.parametrize("value", ["", "abc", "    ", "ab\ncd\n"])
def test_a_value_without_four_characters_in_a_line_cannot_be_masked(value: str) -> None:
    """It would make ordinary lines unreadable, and so give itself away."""
    assert not can_be_masked(value)
    assert knowing(value).text(f"abc {value} abcd") == f"abc {value} abcd"


def test_a_run_keeps_only_the_arguments_of_this_project() -> None:
    own = {"--flinkglue-run-key": "f/1", "--flinkglue-connection": "a"}
    given = {"--password": "hunter2", "--date": "2026-01-01", **own}
    run = JobRun.from_response({"Id": "jr_1", "Arguments": given})
    assert run.arguments == own


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("--flinkglue-run-key", "any name that the flow does not set itself"),
        ("--flinkglue-connection", "any name that the flow does not set itself"),
        ("password", "names that start with --"),
        ("--date", "names that are not in arguments as well"),
    ],
)
def test_names_that_cannot_be_secret_arguments_are_refused(name: str, allowed: str) -> None:
    with pytest.raises(InvalidInput, match=f"secret_arguments: '{name}'.*{allowed}"):
        check_secret_arguments({"--ok": "block", name: "block"}, {"--date": "2026-01-01"})

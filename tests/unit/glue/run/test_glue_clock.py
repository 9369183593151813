"""A clock that differs from AWS's, or a call that arrives late, ends no wait and starts nothing."""

from __future__ import annotations

import logging
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError

from flinkglue.errors import AuthenticationFailed, CallFailed, ClockRefused, InDoubt
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.errors import translated
from flinkglue.glue.failures.classification import classify_call
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.wait import watch_run
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.callbacks import started
from tests.unit.glue.glue_on_the_wire import Refused, RunsOnTheWire, ranking
from tests.unit.glue.run.test_glue_starting import REQUEST

LOG = logging.getLogger(__name__)
EXPIRED = (
    "Signature expired: 20261129T120000Z is now earlier than 20261129T121000Z "
    "(20261129T121500Z - 5 min.)"
)
NOT_YET = (
    "Signature not yet current: 20261129T123000Z is still later than 20261129T121500Z "
    "(20261129T121000Z + 5 min.)"
)
OF_THE_CLOCK = [
    ("InvalidSignatureException", EXPIRED),
    ("InvalidSignatureException", NOT_YET),
    ("SignatureDoesNotMatch", EXPIRED),
    ("RequestExpired", "Request has expired."),
    ("RequestTimeTooSkewed", "The difference between the request time and the server's time is"),
    ("RequestInTheFuture", "Request is in the future."),
]
OF_THE_KEYS = [
    ("InvalidSignatureException", "The request signature we calculated does not match the one"),
    ("SignatureDoesNotMatch", "The request signature we calculated does not match the signature"),
    ("ExpiredTokenException", "The security token included in the request is expired"),
    ("MissingAuthenticationTokenException", "Request is missing Authentication Token"),
    ("IncompleteSignatureException", "Authorization header requires 'Signature' parameter."),
    ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
    ("InvalidToken", "The provided token is malformed or otherwise not valid."),
    ("TokenRefreshRequired", "The provided token must be refreshed."),
    ("ExpiredToken", "The provided token has expired."),
]


def refused_with(
    code: str, message: str, *, date: str = "", submits: bool = False, status: int = 400
) -> CallFailed:
    headers = {"date": date} if date else {}
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
    with pytest.raises(CallFailed) as caught, translated("S", "Op", "r", submits=submits):
        raise ClientError(answer, "Op")
    return caught.value


@pytest.mark.parametrize(("code", "message"), OF_THE_CLOCK)
@pytest.mark.parametrize("submits", [True, False])
def test_what_is_about_the_clock_passes_and_says_so(code: str, message: str, submits: bool) -> None:
    """Also of a start, which was surely not carried out: nothing is in doubt."""
    error = refused_with(code, message, submits=submits)
    assert type(error) is ClockRefused
    assert "set this machine's clock" in (error.advice or "")


@pytest.mark.parametrize(("code", "message"), OF_THE_KEYS)
@pytest.mark.parametrize("status", [400, 403])
def test_what_is_about_the_keys_does_not(code: str, message: str, status: int) -> None:
    """Nor is it a permission: to give the caller one would help nobody."""
    error = refused_with(code, message, status=status)
    assert type(error) is AuthenticationFailed
    assert "AWS Credentials block" in (error.advice or "")
    assert "clock" not in (error.advice or "")


def test_how_far_the_clock_is_off_is_told() -> None:
    """The answer carries the service's own time."""
    error = refused_with(*OF_THE_CLOCK[0], date="Sun, 01 Jan 2017 00:00:00 GMT")
    assert "minutes ahead)" in (error.advice or "")
    assert "ahead" not in (refused_with(*OF_THE_CLOCK[0], date="soon").advice or "")


def refusing(wire: RunsOnTheWire, operation: str, times: int, code: str, message: str) -> None:
    calls = count(1)

    def answer(called: str, _: object) -> None:
        if called == operation and next(calls) <= times:
            raise Refused(403, code, message)

    wire.before = answer


@pytest.mark.parametrize(("code", "message"), OF_THE_CLOCK)
def test_a_wait_goes_on_until_the_clock_is_right_again(code: str, message: str) -> None:
    wire = RunsOnTheWire()
    run = wire.start("nightly")
    wire.turn(run, "SUCCEEDED")
    refusing(wire, "GetJobRun", 50, code, message)
    context = RunContext(wire.client, LOG, clock=HastyClock(0))
    ended = watch_run(context, REQUEST, run, RunObserver())
    assert ended.state == "SUCCEEDED"


def test_a_start_that_was_late_is_made_again_and_once(caplog: pytest.LogCaptureFixture) -> None:
    """It is refused before anything happens, so nobody looks for a run first."""

    class LateStart(RunsOnTheWire):
        late = 2

        def _answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
            if operation == "StartJobRun" and self.late:
                self.late -= 1
                raise Refused(400, "InvalidSignatureException", EXPIRED)
            return super()._answer(operation, given)

    wire = LateStart()
    context = RunContext(wire.client, LOG, clock=HastyClock(0))
    assert not started(context, REQUEST, ranking("a", "b")).adopted
    assert len(wire.runs[REQUEST.job_name]) == 1
    assert wire.counted()["StartJobRun"] == 3
    assert "Checking whether the run was started" not in caplog.text


ADVISED = [
    ("Service is unable to assume role arn:aws:iam::1:role/r. Please verify role's TrustPolicy",
     "trust policy"),
    ("Role arn:aws:iam::1:role/r should be given assume role permissions for Glue Service.",
     "trust policy"),
    ("Invalid input provided", "without naming it"),
    ("The maximum of something is reached", "what the message names"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "advice"), ADVISED)
def test_what_glue_refuses_comes_with_advice(message: str, advice: str) -> None:
    error = refused_with("InvalidInputException", message)
    assert advice in (error.advice or "")
    assert not isinstance(error, InDoubt)


def test_a_start_that_is_refused_for_a_full_subnet_is_not_told_to_correct_the_job() -> None:
    error = refused_with(
        "InvalidInputException", "Number of IP addresses on subnet is 0: subnet-0a1b", submits=True
    )
    failure = classify_call(error)
    assert failure.advice == "the subnet is full; another one is tried"
    assert failure.advice in failure.evidence


def test_a_start_that_glue_broke_on_is_in_doubt_and_says_to_look_for_the_run() -> None:
    error = refused_with("InternalServiceException", "Internal service failure", submits=True)
    assert isinstance(error, InDoubt)
    assert "search for the run before another is started" in (error.advice or "")

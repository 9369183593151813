"""What to do after a failure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import CallFailed, Conflict, PermissionDenied, Throttled
from flinkglue.glue.failures.classification import classify, classify_call, subnet_in, zone_in
from flinkglue.glue.failures.rule import Blame, FailureClass, Rule
from flinkglue.glue.failures.table import NOT_SUBMITTED, RULES

REFUSED_BY_GLUE = (
    f"{NOT_SUBMITTED}{{}} (Service: AWSGlueJobExecutor; Status Code: 400; Error Code: "
)

OF_A_SCRIPT = [
    "ClientError: An error occurred (ThrottlingException) when calling the PutItem operation "
    "(reached max retries: 9): Rate exceeded",
    "ThrottlingException: An error occurred (ThrottlingException) when calling the "
    "StartQueryExecution operation: Rate exceeded",
    "Error Category: THROTTLING_ERROR; Failed Line Number: 31; ClientError: An error occurred "
    "(ThrottlingException) when calling the GetTables operation: Rate exceeded",
    "An error occurred (ConcurrentRunsExceededException) when calling the StartJobRun operation: "
    "Concurrent runs exceeded for weekly",
    "An error occurred while calling o102.pyWriteDynamicFrame. Slow Down (Service: Amazon S3; "
    "Status Code: 503; Error Code: 503 Slow Down; Request ID: 0; S3 Extended Request ID: 0)",
    "An error occurred while calling o77.getCatalogSource. Rate exceeded (Service: AWSGlue; "
    "Status Code: 400; Error Code: ThrottlingException; Request ID: 0; Proxy: null)",
    "An error occurred while calling o93.save. ServiceUnavailableException: try again",
    "Command failed with exit code 10: RequestExpired",
    "Command failed with exit code 1: Number of IP addresses on subnet is 0",
    "LAUNCH ERROR | Installation of Additional Python Modules failed: Resource unavailable",
    "LAUNCH ERROR | Error downloading from S3: Slow Down (Status Code: 503)",
    "AnalysisException: Resource unavailable",
    "RuntimeError: Resource unavailable",
    "botocore.exceptions.ClientError: InternalServiceException",
    "OSError: [Errno 28] No space left on device",
    "Error Category: OUT_OF_DISK_ERROR; java.io.IOException: No space left on device",
    "No space left on device",
    "HTTP 503: ServiceUnavailable, the run is tried again",
    "InsufficientFreeAddressesInSubnet was printed by nightly.py",
    "An error occurred (InsufficientFreeAddressesInSubnet) when calling the "
    "CreateNetworkInterface operation: The specified subnet does not have enough free addresses",
    "Exception in User Class: java.lang.IllegalStateException : Exceeded maximum concurrent "
    "compute capacity",
    "SystemExit: Max concurrent runs exceeded",
    "Py4JJavaError: Job aborted: threshold for executors failed after launch reached",
    "Traceback (most recent call last):\n  File nightly.py\nValueError: Rate exceeded",
    "retrying failed to execute with exception Rate exceeded",
]

WRAPPED_BY_A_SCRIPT = [
    "Error Category: UNCLASSIFIED_ERROR; Failed Line Number: 12; RuntimeError: {}",
    "An error occurred while calling o102.pyWriteDynamicFrame. {}",
    "An error occurred (ThrottlingException) when calling the PutItem operation: {}",
    "ThrottlingException: An error occurred (ThrottlingException) when calling PutItem: {}",
    "com.amazonaws.services.glue.model.AWSGlueException: {}",
    "SystemExit: {}",
    "Exception in User Class: java.lang.RuntimeException : {}",
    "Traceback (most recent call last):\n  File 'nightly.py', line 3\nRuntimeError: {}",
    "Command failed with exit code 10: {}",
    "LAUNCH ERROR | {}",
    "The load failed: {}",
    "'{}'",
]


OF_GLUE_ITSELF = [
    (
        "An error occurred while calling o97.pyWriteDynamicFrame. Job aborted: "
        "SparkContext was shut down caused by threshold for executors failed after launch reached. "
        "Note: This run was executed with Auto Scaling enabled.",
        FailureClass.WAIT,
    ),
    (
        "Error Category: UNCLASSIFIED_ERROR; Failed Line Number: 9; Py4JJavaError: An error "
        "occurred while calling o97.count. : org.apache.spark.SparkException: Job 3 cancelled "
        "because SparkContext was shut down\ncaused by threshold for executors failed after "
        "launch reached",
        FailureClass.WAIT,
    ),
    ("ThrottlingException: Rate exceeded", FailureClass.WAIT),
    ("InternalServiceException: Service is unable to process the request", FailureClass.WAIT),
    ("OperationTimeoutException: The operation timed out", FailureClass.WAIT),
    ("ServiceUnavailableException: try again", FailureClass.WAIT),
    ("RequestExpired: Request has expired.", FailureClass.WAIT),
    ("ConcurrentRunsExceededException: Concurrent runs exceeded for weekly", FailureClass.WAIT),
    ("ConcurrentRunsExceededException", FailureClass.WAIT),
    ("Concurrent runs exceeded for nightly", FailureClass.WAIT),
    (
        f"{NOT_SUBMITTED}Too many calls (Service: AWSGlueJobExecutor; Status Code: 400; "
        "Error Code: ThrottlingException; Request ID: 0; Proxy: null)",
        FailureClass.WAIT,
    ),
    (
        "Error: VPC S3 endpoint validation failed for SubnetId: subnet-0a1b. VPC: vpc-0a1b. "
        "Reason: Could not find S3 endpoint or NAT gateway for subnetId: subnet-0a1b in Vpc vpc-0a",
        FailureClass.FAIL_OVER,
    ),
]
REPEATED_BY_SPARK = RULES[0]


@pytest.mark.parametrize(("text", "expected"), OF_GLUE_ITSELF)
def test_what_only_glue_says_is_not_taken_for_an_error_of_the_script(
    text: str, expected: FailureClass
) -> None:
    failure = classify("FAILED", text)
    assert failure.failure_class is expected
    assert failure.alert is (expected is FailureClass.FAIL_OVER), "a missing endpoint stays missing"


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.code], ids=lambda rule: rule.code)
def test_every_row_with_a_code_is_reached_by_it(rule: Rule) -> None:
    for text in (f"Error Code: {rule.code}", f"Error Code: {rule.code}Exception"):
        assert next(row for row in RULES if row.matches(text)) is rule


@pytest.mark.parametrize(
    "rule", RULES, ids=lambda rule: f"{rule.pattern or rule.code} {rule.failure_class}"
)
def test_every_row_is_reached_by_its_recorded_sample(rule: Rule) -> None:
    in_vpc = rule.in_vpc_only or rule.failure_class is not FailureClass.WAIT
    rows = [row for row in RULES if in_vpc or not row.in_vpc_only]
    assert next(row for row in rows if row.matches(rule.sample)) is rule
    failure = classify("FAILED", rule.sample, in_vpc=in_vpc)
    assert failure.failure_class is rule.failure_class
    assert failure.evidence == rule.sample
    assert failure.advice == rule.advice


@pytest.mark.parametrize("text", OF_A_SCRIPT)
def test_a_script_that_fails_with_the_words_of_a_service_is_never_run_again(text: str) -> None:
    for in_vpc in (True, False):
        failure = classify("FAILED", text, in_vpc=in_vpc)
        assert (failure.failure_class, failure.alert) == (FailureClass.STOP, False)


@given(
    sample=st.sampled_from(
        [rule.sample for rule in RULES if rule is not REPEATED_BY_SPARK]
        + [f"Error Code: {rule.code}Exception" for rule in RULES if rule.code]
    ),
    wrapped=st.sampled_from(WRAPPED_BY_A_SCRIPT),
    again=st.sampled_from(["{}", *WRAPPED_BY_A_SCRIPT]),
    tail=st.text(max_size=20),
    in_vpc=st.booleans(),
)
def test_whatever_glue_says_in_the_mouth_of_a_script_is_never_run_again(
    sample: str, wrapped: str, again: str, tail: str, in_vpc: bool
) -> None:
    """Also a script that started another Glue job, and shows how that one failed."""
    text = wrapped.format(again.format(sample)) + tail
    assert classify("FAILED", text, in_vpc=in_vpc).failure_class is FailureClass.STOP


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.failure_class is not FailureClass.STOP]
)
def test_a_reason_why_a_run_was_not_submitted_is_read_behind_what_glue_puts_before_it(
    rule: Rule,
) -> None:
    texts: list[str] = []
    if rule.pattern:
        refused = REFUSED_BY_GLUE.format(rule.sample) + "InvalidInputException; Request ID: 0)"
        texts.append(rule.sample if rule.sample.startswith("JobName:") else refused)
    if rule.code:
        because = REFUSED_BY_GLUE.format("it says so")
        texts.append(f"{because}{rule.code}Exception; Request ID: 0)")
    in_vpc = rule.failure_class is not FailureClass.WAIT
    for text in texts:
        assert classify("FAILED", text, in_vpc=in_vpc).failure_class is rule.failure_class


def test_a_missing_resource_needs_another_zone_in_a_vpc_and_else_time() -> None:
    in_vpc = classify("FAILED", "Resource unavailable", in_vpc=True)
    outside = classify("FAILED", "Resource unavailable", in_vpc=False)
    assert (in_vpc.failure_class, in_vpc.blames) == (FailureClass.FAIL_OVER, Blame.ZONE)
    assert outside.failure_class is FailureClass.WAIT


def test_a_zone_is_blamed_only_for_what_none_of_its_subnets_can_give() -> None:
    moved = [rule for rule in RULES if rule.failure_class is FailureClass.FAIL_OVER]
    zones = {rule.sample for rule in moved if rule.blames is Blame.ZONE}
    assert zones == {"Could not find subnet for AZ us-east-1a", "Resource unavailable"}
    alone = [rule.sample for rule in moved if rule.blames is Blame.CONNECTION]
    own = ("security group", "SecurityGroup", "Security group", "InvalidGroup", "Availability Zone")
    assert all(any(word in sample for word in own) for sample in alone)


@pytest.mark.parametrize("state", ["STOPPED", "TIMEOUT", "EXPIRED"])
def test_some_ends_are_never_repeated_whatever_the_message(state: str) -> None:
    failure = classify(state, "Number of IP addresses on subnet is 0: subnet-1")
    assert failure.failure_class is FailureClass.STOP


@pytest.mark.parametrize("message", [None, "", "NameError: name 'x' is not defined"])
def test_an_unknown_failure_stops(message: str | None) -> None:
    assert classify("FAILED", message).failure_class is FailureClass.STOP


@given(state=st.text(), message=st.none() | st.text(), in_vpc=st.booleans())
def test_classification_never_raises(state: str, message: str | None, in_vpc: bool) -> None:
    assert classify(state, message, in_vpc=in_vpc).failure_class in FailureClass


def test_the_subnet_or_zone_that_a_message_names_is_found() -> None:
    full = classify("FAILED", f"{NOT_SUBMITTED}Number of IP addresses on subnet is 0: subnet-0a1b")
    assert (full.subnet_id, full.availability_zone) == ("subnet-0a1b", None)
    zone = classify("FAILED", "Could not find subnet for AZ us-east-1a")
    assert (zone.subnet_id, zone.availability_zone) == (None, "us-east-1a")
    assert subnet_in("Resource unavailable") is zone_in("Resource unavailable") is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Throttled("AWS Glue", "GetJob", "job x", "Rate exceeded"), FailureClass.WAIT),
        (Conflict("AWS Glue", "StartJobRun", "job x", "Concurrent runs"), FailureClass.WAIT),
        (PermissionDenied("AWS Glue", "GetJob", "job x", "no"), FailureClass.STOP),
        (
            CallFailed("AWS Glue", "StartJobRun", "job x", "Number of IP addresses on subnet is 0"),
            FailureClass.FAIL_OVER,
        ),
    ],
)
def test_a_refused_call_is_judged_too(error: CallFailed, expected: FailureClass) -> None:
    assert classify_call(error).failure_class is expected

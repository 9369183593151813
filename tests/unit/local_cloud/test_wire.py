"""The request log and the fault book."""

import json
from pathlib import Path

import pytest

from localcloud.web.wire import FaultBook, Request, RequestLog


def _request(service: str, operation: str, at: float = 0.0) -> Request:
    return Request(service, operation, at, 0.01, 200, {})


def test_requests_are_found_by_service_operation_and_time() -> None:
    log = RequestLog()
    log.record(_request("glue", "StartJobRun", at=10.0))
    log.record(_request("glue", "GetJobRun", at=20.0))
    log.record(_request("ec2", "DescribeSubnets", at=30.0))

    assert [r.operation for r in log.find("glue")] == ["StartJobRun", "GetJobRun"]
    assert [r.operation for r in log.find("*", "Get*")] == ["GetJobRun"]
    assert [r.service for r in log.find(since=20.0)] == ["glue", "ec2"]


def test_memory_is_bounded_and_the_file_keeps_everything(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "requests.jsonl", keep=2)
    for number in range(5):
        log.record(_request("s", f"op{number}"))

    assert [r.operation for r in log.find()] == ["op3", "op4"]
    lines = (tmp_path / "requests.jsonl").read_text().splitlines()
    assert [json.loads(line)["operation"] for line in lines] == [f"op{n}" for n in range(5)]


def test_a_cleared_log_finds_nothing() -> None:
    log = RequestLog()
    log.record(_request("s", "op"))
    log.clear()
    assert log.find() == []


def test_a_fault_with_times_is_used_up() -> None:
    book = FaultBook()
    book.add("glue:Get*", "throttle", times=2)

    assert book.take("glue", "StartJobRun") is None
    hits = [book.take("glue", "GetJob") is not None for _ in range(3)]
    assert hits == [True, True, False]
    assert book.list()[0].times == 0


def test_the_next_fault_takes_over_when_the_first_is_used_up() -> None:
    book = FaultBook()
    book.add("arm:*", "error", times=1)
    book.add("arm:*", "delay", seconds=0.1)

    kinds = [fault.kind for _ in range(3) if (fault := book.take("arm", "ListJobs"))]
    assert kinds == ["error", "delay", "delay"]


def test_a_share_hits_about_its_part_and_is_repeatable_by_seed() -> None:
    def hits(seed: int) -> list[bool]:
        book = FaultBook(seed=seed)
        book.add("s:op", "error", share=0.2)
        return [book.take("s", "op") is not None for _ in range(1000)]

    assert hits(7) == hits(7)
    assert hits(7) != hits(8)
    assert 150 < sum(hits(7)) < 250


def test_faults_are_cleared_one_by_one_or_together() -> None:
    book = FaultBook()
    first = book.add("a:b", "error")
    second = book.add("a:c", "error")
    book.clear(first.id)
    assert book.list() == [second]
    book.clear()
    assert book.list() == []


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"pattern": "no-colon", "kind": "error"}, "pattern"),
        ({"pattern": "a:b", "kind": "explode"}, "kind"),
        ({"pattern": "a:b", "kind": "error", "times": 0}, "times"),
        ({"pattern": "a:b", "kind": "error", "share": 1.5}, "share"),
    ],
)
def test_a_senseless_fault_is_refused_by_field_name(
    arguments: dict[str, object], field: str
) -> None:
    with pytest.raises(ValueError, match=f"^{field}: .* Allowed: "):
        FaultBook().add(**arguments)  # type: ignore[arg-type]


def test_the_status_of_a_fault_follows_its_kind_unless_it_is_given() -> None:
    book = FaultBook()
    assert book.add("a:b", "throttle").status == 429
    assert book.add("a:b", "error").status == 500
    assert book.add("a:b", "expire_token").status == 401
    assert book.add("a:b", "error", status=503).status == 503


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_length_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"seconds: .* Allowed: 0 or more"):
        FaultBook().add("glue:*", "delay", seconds=seconds)


def test_an_unknown_fault_cannot_be_cleared_and_all_of_none_can() -> None:
    book = FaultBook()
    book.clear()
    known = book.add("glue:*", "error").id
    with pytest.raises(ValueError, match=f"id: 'nosuchid' is not accepted. Allowed: {known}"):
        book.clear("nosuchid")
    book.clear(known)
    assert book.list() == []

"""A job and a hundred connections are read with calls that all go out at the same time."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from flinkglue.glue.client import GlueClient

NAMES = [f"connection-{n}" for n in range(100)]


def test_a_job_and_a_hundred_connections_are_one_round_trip() -> None:
    """No call is answered before all have arrived, and then once more."""
    all_arrived = threading.Barrier(101, timeout=60)

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        all_arrived.wait()
        given = json.loads(request.body)
        kind = "Connection" if "HidePassword" in given else "Job"
        content = json.dumps({kind: {"Name": given.get("Name", "job")}}).encode()
        raw = io.BytesIO(content)
        raw.stream = lambda: iter([content])  # type: ignore[attr-defined]
        return AWSResponse(request.url, 200, {"x-amzn-RequestId": "r-1"}, raw)

    session = boto3.Session("key", "secret", region_name="eu-west-1")
    glue, ec2, logs = (session.client(name) for name in ("glue", "ec2", "logs"))
    glue.meta.events.register("before-send.glue", send)
    client = GlueClient(glue, glue, ec2, logs)
    for _ in range(2):
        assert client.get_candidates("job", NAMES).connection_names == tuple(NAMES)

"""The local Glue's whole API, given to a real boto3 client in place of the network."""

from __future__ import annotations

import io
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.glue.models import GlueBackend
from werkzeug.test import Client

from flinkglue.glue.client import GlueClient
from localcloud.aws.glue.api import GlueApi
from tests.unit.local_cloud.test_glue_emulator_runs import Glue

REGION, ACCOUNT_ID = "us-east-1", "123456789012"


class GlueApiOnTheWire:
    """`world` is the emulator in virtual time, `client` the project's own client of it."""

    def __init__(self) -> None:
        self.world = Glue()
        world, tags = self.world, GlueBackend(REGION, ACCOUNT_ID)
        api = GlueApi(
            world.jobs, world.connections, world.runs, world.timeline, tags, REGION, ACCOUNT_ID
        )
        self._http = Client(api)
        self.client = GlueClient.connect(boto3.Session("key", "secret", region_name=REGION))
        for glue in (self.client._glue, self.client._glue_without_retries):
            glue.meta.events.register("before-send.glue", self._send)
        self.glue: Any = self.client._glue

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        headers = {k: v if isinstance(v, str) else v.decode() for k, v in request.headers.items()}
        answer = self._http.post("/", data=request.body, headers=headers)
        raw = io.BytesIO(answer.data)
        raw.stream = lambda: iter([answer.data])  # type: ignore[attr-defined]
        return AWSResponse(request.url, answer.status_code, dict(answer.headers), raw)

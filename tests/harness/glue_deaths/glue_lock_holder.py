"""A process that takes a lock: run by the coordination scenarios, to be killed or paused.

hold NAME LEASE_SECONDS      prints "held", then after each line on stdin whether it still holds
break NAME LEASE_SECONDS     the same; prints "breaking", waits for a line, and breaks the lock
contend NAME TIMES FILE      takes the lock so often; FILE must never exist when it gets it
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL

from flinkglue.errors import ServiceUnavailable
from flinkglue.prefect.store.server_records import ServerRecords, server_records
from flinkglue.prefect.store.variable_locks import VariableLocks


def hold(name: str, lease_seconds: str) -> None:
    with server_records() as records:
        hold_with(records, name, lease_seconds)


def hold_with(records: ServerRecords, name: str, lease_seconds: str) -> None:
    with VariableLocks(records, float(lease_seconds)).hold(name) as lock:
        print("held", flush=True)
        for _ in sys.stdin:
            try:
                lock.check()
                print("held", flush=True)
            except ServiceUnavailable:
                print("lost", flush=True)


class AsksFirst(httpx.HTTPTransport):
    """Says so before anything is deleted, and waits to be told."""

    asked = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE" and not self.asked:
            self.asked = True
            print("breaking", flush=True)
            sys.stdin.readline()
        return super().handle_request(request)


def break_(name: str, lease_seconds: str) -> None:
    url = str(PREFECT_API_URL.value())
    with SyncPrefectClient(url, httpx_settings={"transport": AsksFirst()}) as client:
        hold_with(ServerRecords(client), name, lease_seconds)


def contend(name: str, times: str, file: str) -> None:
    with server_records() as records:
        locks = VariableLocks(records)
        for _ in range(int(times)):
            asked_at = time.monotonic()
            with locks.hold(name):
                print(time.monotonic() - asked_at, flush=True)
                os.close(os.open(file, os.O_CREAT | os.O_EXCL))
                time.sleep(0.02)
                Path(file).unlink()


if __name__ == "__main__":
    {"hold": hold, "break": break_, "contend": contend}[sys.argv[1]](*sys.argv[2:])

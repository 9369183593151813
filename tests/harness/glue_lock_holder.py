"""A process that takes a lock: run by the coordination scenarios, to be killed or paused.

hold NAME LEASE_SECONDS      prints "held", then after each line on stdin whether it still holds
contend NAME TIMES FILE      takes the lock so often; FILE must never exist when it gets it
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from flinkglue.errors import ServiceUnavailable
from tasks.glue_coordination import VariableLocks
from tasks.server_records import server_records


def hold(name: str, lease_seconds: str) -> None:
    with (
        server_records() as records,
        VariableLocks(records, float(lease_seconds)).hold(name) as lock,
    ):
        print("held", flush=True)
        for _ in sys.stdin:
            try:
                lock.check()
                print("held", flush=True)
            except ServiceUnavailable:
                print("lost", flush=True)


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
    {"hold": hold, "contend": contend}[sys.argv[1]](*sys.argv[2:])

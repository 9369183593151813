"""A process that uses the journal on a Prefect server, for tests that need more than one.

claim INTENT JOB           begins an action, when a line comes in on stdin; says what it got
read KIND KEY              prints the document
update INTENT JOB URL JAR  updates a job, when a line comes in on stdin; prints how it ended
"""

from __future__ import annotations

import json
import sys

from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.errors import Conflict
from flinkglue.lifecycle.execute import execute
from flinkglue.lifecycle.journal.claims import LeaseTerms
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.prefect.store.variable_journal import variable_journal, variable_store


def main() -> None:
    verb, first, second, *more = sys.argv[1:]
    if verb == "read":
        with variable_store("here") as store:
            print(json.dumps(store.read(first, second)))
        return
    if verb == "update":
        update(first, second, *more)
        return
    with variable_journal("here") as journal:
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            held = journal.begin(first, Action.SAVEPOINT, second)
            held.note(story=(), facts={"plan": {"job_id": "a" * 32}})
            print("began")
        except Conflict as error:
            print(f"refused: {error.reason}")


def update(intent: str, job_name: str, url: str, jar: str) -> None:
    cluster = FlinkRestCluster(url=url)
    ready = ReadyLimits(within_seconds=30, stable_seconds=0.2)
    terms = LeaseTerms(seconds=10, emit=lambda line: print(line, file=sys.stderr, flush=True))
    with variable_store("here") as store, cluster.get_backend() as backend:
        print("ready", flush=True)
        sys.stdin.readline()
        outcome = execute(
            ActionRequest(Action.UPDATE, job_name, JobChanges(jar=jar)),
            intent,
            store=store,
            backend=backend,
            identify=cluster.get_jars().identify,
            options=ActionOptions(ready=ready, lease=terms),
        )
        print(json.dumps({"job_id": outcome.job_id, "failure": outcome.failure}))


if __name__ == "__main__":
    main()

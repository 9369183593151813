"""A process that uses the journal on a Prefect server, for tests that need more than one.

claim INTENT JOB   begins an action, when a line comes in on standard input; says what it got
read KIND KEY      prints the document
"""

from __future__ import annotations

import json
import sys

from flinkglue.errors import Conflict
from flinkglue.lifecycle.models import Action
from tasks.journal import variable_journal, variable_store


def main() -> None:
    verb, first, second = sys.argv[1:]
    if verb == "read":
        with variable_store("here") as store:
            print(json.dumps(store.read(first, second)))
        return
    with variable_journal("here") as journal:
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            entry = journal.begin(first, Action.SAVEPOINT, second)
            journal.note(entry, story=(), facts={"plan": {"job_id": "a" * 32}})
            print("began")
        except Conflict as error:
            print(f"refused: {error.reason}")


if __name__ == "__main__":
    main()

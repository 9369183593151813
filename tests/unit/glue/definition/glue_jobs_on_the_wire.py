"""Glue's job definitions, given to a real boto3 client in place of the network."""

from __future__ import annotations

from typing import Any

from tests.unit.glue.glue_on_the_wire import Refused, RunsOnTheWire

CREATED = 1_767_225_600.0


class JobsOnTheWire(RunsOnTheWire):
    """Job definitions by name; UpdateJob overwrites all of one. `refusals` answer UpdateJob."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.refusals: list[Refused] = []

    def job(self, name: str, connections: list[str], *, created: float = CREATED) -> None:
        """A job as somebody has defined it."""
        self.jobs[name] = {
            "Name": name,
            "Role": "arn:aws:iam::123456789012:role/GlueJobRole",
            "CreatedOn": created,
            "Command": {"Name": "glueetl", "ScriptLocation": "s3://scripts/nightly.py"},
            "DefaultArguments": {"--date": "today"},
            "MaxRetries": 0,
            "Timeout": 60,
            "WorkerType": "G.1X",
            "NumberOfWorkers": 2,
        }
        self.person_sets(name, connections)

    def person_sets(self, name: str, connections: list[str]) -> None:
        """Somebody changes the connections, in the console for example."""
        self.jobs[name].pop("Connections", None)
        if connections:
            self.jobs[name]["Connections"] = {"Connections": connections}

    def connections(self, name: str) -> list[str]:
        """What the job has now."""
        return list(self.jobs[name].get("Connections", {}).get("Connections", []))

    def _answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        if operation == "GetJob":
            return {"Job": self.jobs[given["JobName"]]}
        if operation == "UpdateJob":
            if self.refusals:
                raise self.refusals.pop(0)
            job = self.jobs[given["JobName"]]
            kept = {field: job[field] for field in ("Name", "CreatedOn")}
            self.jobs[given["JobName"]] = {**given["JobUpdate"], **kept}
            return {"JobName": given["JobName"]}
        return super()._answer(operation, given)

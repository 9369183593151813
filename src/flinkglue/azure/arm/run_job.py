"""What a runJob call requests of ARM: one of the eleven actions, and what it needs. Pure.

API: https://learn.microsoft.com/rest/api/hdinsightonaks/cluster-jobs/run-job
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flinkglue.azure.names import ARGUMENT, JAR_NAME, JOB_NAME
from flinkglue.azure.storage.abfs import AbfsUri
from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.program import JAVA_CLASS


@dataclass(frozen=True)
class RunJob:
    """What a runJob call requests.

    Args:
        job_name: The job's name; unique in the cluster and lower case.
        job_jar_directory: The directory of the jar, an abfs URI.
        jar_name: The jar's file name.
        args: The arguments; ARM takes them joined by spaces, so none may contain one.
        save_point_name: The savepoint to start from, by name or full path.
        flink_configuration: Flink settings by key; ``parallelism`` is needed by NEW.
        run_id: The row of the jobs list that is meant, where names are double.
    """

    action: Action
    job_name: str
    job_jar_directory: str | None = None
    jar_name: str | None = None
    entry_class: str | None = None
    args: Sequence[str] = ()
    save_point_name: str | None = None
    flink_configuration: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None

    @classmethod
    def new(
        cls,
        job_name: str,
        job_jar_directory: str,
        jar_name: str,
        entry_class: str,
        *,
        args: Sequence[str] = (),
        parallelism: int = 1,
        flink_configuration: Mapping[str, str] | None = None,
        save_point_name: str | None = None,
    ) -> RunJob:
        """Ask for a new job.

        Raises:
            InvalidInput: A value that the service would refuse, or misread.
        """
        JOB_NAME.require("job_name", job_name)
        AbfsUri.parse(job_jar_directory, "job_jar_directory")
        JAR_NAME.require("jar_name", jar_name)
        JAVA_CLASS.require("entry_class", entry_class)
        for position, arg in enumerate(args):
            ARGUMENT.require(f"args[{position}]", arg)
        if isinstance(parallelism, bool) or parallelism < 1:
            raise InvalidInput("parallelism", parallelism, "a whole number, 1 or more")
        configuration = dict(flink_configuration or {})
        if configuration.get("parallelism", str(parallelism)) != str(parallelism):
            raise InvalidInput(
                "flink_configuration[parallelism]",
                configuration["parallelism"],
                f"the same as parallelism ({parallelism}), or left out",
            )
        return cls(
            Action.NEW,
            job_name,
            job_jar_directory,
            jar_name,
            entry_class,
            tuple(args),
            save_point_name or None,
            {**configuration, "parallelism": str(parallelism)},
        )

    def body(self) -> dict[str, Any]:
        """The JSON body; what is not set is left out."""
        properties = {
            "jobType": "FlinkJob",
            "jobName": self.job_name,
            "action": self.action.value,
            "runId": self.run_id,
            "jobJarDirectory": self.job_jar_directory,
            "jarName": self.jar_name,
            "entryClass": self.entry_class,
            "args": " ".join(self.args) or None,
            "savePointName": self.save_point_name,
            "flinkConfiguration": dict(self.flink_configuration) or None,
        }
        return {
            "properties": {key: value for key, value in properties.items() if value is not None}
        }

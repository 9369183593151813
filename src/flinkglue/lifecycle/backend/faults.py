"""How a launch or a savepoint fails, and what cannot be listed."""

from __future__ import annotations

from flinkglue.errors import FlinkGlueError, JobFailed


class LaunchRefused(JobFailed):
    """The service would not start the job: its jar, class, ``main()`` or savepoint is at fault.

    Args:
        message: What happened, with the cause.
        job_id: The Flink job that was launched and is lost, where the service chose its id.
    """

    def __init__(self, message: str, job_id: str = "") -> None:
        self.job_id = job_id
        super().__init__(message)


class MoreThanOneJob(LaunchRefused):
    """``main()`` submits several jobs. One of them runs under the launch's id, and has to be ended.

    Args:
        which: The jobs, as far as the service names them.
    """

    in_words = "main() submits more than one job"

    def __init__(self, which: str) -> None:
        super().__init__(
            f"{self.in_words}: {which}. One launch is one job, with one id and one savepoint: call "
            "execute() once, and put all INSERTs into one StatementSet; or give each of them its "
            "own job name"
        )


class SavepointFailed(JobFailed):
    """A savepoint or a stop with savepoint did not come to its good end.

    Args:
        message: What happened, with the job id and the cause.
        path: A savepoint that is good although the stop failed after it.
    """

    def __init__(self, message: str, path: str | None = None) -> None:
        self.path = path
        super().__init__(message)


class CannotList(FlinkGlueError):
    """A directory that state is written to cannot be listed from here: what lies there is unknown.

    Args:
        message: Which directory, why not, and what would let it be listed.
    """

"""The ids that we choose for Flink: the same intent always asks for the same job. Pure."""

from __future__ import annotations

import hashlib


def job_id_of(intent: str, job_name: str, generation: int) -> str:
    """The Flink job id of a launch: 32 hexadecimal digits.

    Args:
        intent: What requested it, for example a flow run's id with its action.
        job_name: The job; one flow run may act on several.
        generation: How many times the job has been launched. A Flink job id is spent once it was
            used, so each relaunch raises it.
    """
    return _digits("job", intent, job_name, str(generation))


def trigger_id_of(intent: str, job_name: str, generation: int, step: str) -> str:
    """The id of a savepoint, stop or disposal: requested twice, Flink does it once."""
    return _digits("trigger", intent, job_name, str(generation), step)


def _digits(*parts: str) -> str:
    # The lengths keep ("a:b", "c") and ("a", "b:c") apart.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]

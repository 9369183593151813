"""What AWS Glue and EC2 answer, as values. Pure: no I/O, no AWS SDK.

`connections` has connections, subnets, zones and cooldowns, `ranking` the order of a job's
connections, `job_run` a job, its runs and their states, `job_place` where a job is."""

from flinkglue.glue.models.connections import (
    Connection,
    CoolDown,
    Subnet,
    ZoneState,
    addresses_in,
)
from flinkglue.glue.models.job_place import JobPlace
from flinkglue.glue.models.job_run import (
    CONNECTION_ARGUMENT,
    DEFAULT_LOG_GROUP,
    ENDED_STATES,
    OWN_ARGUMENTS,
    RUN_KEY_ARGUMENT,
    WAIT_FOR_END_ARGUMENT,
    Job,
    JobRun,
    JobRunState,
    own_arguments,
)
from flinkglue.glue.models.ranking import Group, RankedConnection, Ranking

__all__ = [
    "CONNECTION_ARGUMENT",
    "DEFAULT_LOG_GROUP",
    "ENDED_STATES",
    "OWN_ARGUMENTS",
    "RUN_KEY_ARGUMENT",
    "WAIT_FOR_END_ARGUMENT",
    "Connection",
    "CoolDown",
    "Group",
    "Job",
    "JobPlace",
    "JobRun",
    "JobRunState",
    "RankedConnection",
    "Ranking",
    "Subnet",
    "ZoneState",
    "addresses_in",
    "own_arguments",
]

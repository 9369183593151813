"""Names as Azure, ARM and Java allow them, in patterns and in words."""

from __future__ import annotations

import re

from flinkglue.errors import InvalidInput

RESOURCE_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._()-]*$"
# Letters and digits of every script; Azure prescribes nothing for the first character.
RESOURCE_GROUP_PATTERN = r"^[\w.()-]{0,89}[\w()-]$"
TENANT_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9.-]*$"
CLIENT_ID_PATTERN = r"^[A-Za-z0-9-]+$"
JOB_NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
JOB_NAME_ALLOWED = "1 to 63 of a-z 0-9 -, lower case"
JOB_NAME_PREFIX_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,24}[a-z0-9])?$"
JOB_NAME_PREFIX_ALLOWED = "1 to 26 of a-z 0-9 -, lower case, - only inside"
JAR_NAME_PATTERN = r"^[^/\\\s]+\.jar$"
ENTRY_CLASS_PATTERN = r"^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*$"
ARGUMENT_PATTERN = r"^\S+$"

RESOURCE_NAME_ALLOWED = "letters, digits and . _ ( ) -, not empty"
RESOURCE_GROUP_ALLOWED = "1 to 90 letters, digits and . _ ( ) -, without a . at the end"
TENANT_ID_ALLOWED = "the tenant's id or one of its domains"
CLIENT_ID_ALLOWED = "the application (client) id"
JAR_NAME_ALLOWED = "a file name that ends in .jar, without directories"
ENTRY_CLASS_ALLOWED = "a full Java class name, for example com.example.Job"
ARGUMENTS_ALLOWED = (
    "text without spaces: ARM takes all arguments as one space-separated string, "
    "so give each word as an argument of its own"
)


def job_name_for(prefix: str, flow_run_id: str) -> str:
    """The name of the job that a flow run starts: the same at every attempt of that run.

    Raises:
        InvalidInput: The prefix cannot begin a job's name.
    """
    require("job_name", prefix, JOB_NAME_PREFIX_PATTERN, JOB_NAME_PREFIX_ALLOWED)
    return f"{prefix}-{flow_run_id.lower()}"


def require(field_name: str, value: object, pattern: str, allowed: str) -> None:
    """Refuse a value that does not match.

    Raises:
        InvalidInput: It does not match, or is no text.
    """
    if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
        raise InvalidInput(field_name, value, allowed)

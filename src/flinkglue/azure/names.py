"""Names as Azure and ARM allow them."""

from __future__ import annotations

from flinkglue.form_types import Matched

_RESOURCE_NAME = r"[A-Za-z0-9][A-Za-z0-9._()-]*"
_RESOURCE_CHARACTERS = "letters, digits and . _ ( ) -"
RESOURCE_NAME = Matched(f"^{_RESOURCE_NAME}$", f"{_RESOURCE_CHARACTERS}, not empty")
OPTIONAL_RESOURCE_NAME = Matched(f"^({_RESOURCE_NAME})?$", f"{_RESOURCE_CHARACTERS}, or nothing")
# Letters and digits of every script; Azure prescribes nothing for the first character.
RESOURCE_GROUP = Matched(
    r"^[\w.()-]{0,89}[\w()-]$", "1 to 90 letters, digits and . _ ( ) -, without a . at the end"
)
TENANT_ID = Matched(r"^[A-Za-z0-9][A-Za-z0-9.-]*$", "the tenant's id or one of its domains")
CLIENT_ID = Matched(r"^[A-Za-z0-9-]+$", "the application (client) id")
JOB_NAME = Matched(r"^[a-z0-9][a-z0-9-]{0,62}$", "1 to 63 of a-z 0-9 -, lower case")
JOB_NAME_PREFIX = Matched(
    r"^[a-z0-9](?:[a-z0-9-]{0,24}[a-z0-9])?$", "1 to 26 of a-z 0-9 -, lower case, - only inside"
)
JAR_NAME = Matched(r"^[^/\\\s]+\.jar$", "a file name that ends in .jar, without directories")
ARGUMENT = Matched(
    r"^\S+$",
    "text without spaces: ARM takes all arguments as one space-separated string, so give each word "
    "as a separate argument",
)


def job_name_for(prefix: str, flow_run_id: str) -> str:
    """The name of the job that a flow run starts: the same at every attempt of that run.

    Raises:
        InvalidInput: The prefix cannot begin a job's name.
    """
    JOB_NAME_PREFIX.require("job_name", prefix)
    return f"{prefix}-{flow_run_id.lower()}"

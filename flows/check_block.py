"""Deployment block-check: whether what a block describes can be reached and read."""

from __future__ import annotations

from typing import Any

from prefect.artifacts import create_table_artifact

from flinkglue.blocks.any_block import BlockChoice, any_block_of
from flinkglue.errors import JobFailed
from flinkglue.form_types import OptionalName
from flinkglue.glue.inputs import parse_connection_names
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.names import block_title, named
from flinkglue.prefect.run_log import run_log
from flinkglue.tasks.block_checks import check_block
from flinkglue.texts import counted


@form_flow(
    name="block-check",
    flow_run_name=named(lambda given: f"check {block_title(given['block'])}"),
)
@ends_in_words
def check_block_flow(
    block: BlockChoice,
    glue_job_name: OptionalName = "",
    connection_names: list[str] | str | None = None,
) -> dict[str, Any]:
    """Check what works with a block: token, vault, cluster, Flink version, Glue permissions.

    Everything is only read. What a run changes is not tried: a permission to start a run or to
    write a job shows when it is used. The policy with all of them is printed by
    python -m infra.glue_sample policy.

    Args:
        block: The block, picked or by type and name, for example flink-rest-cluster/flink.
        glue_job_name: For AWS Credentials: a Glue job to read.
        connection_names: For AWS Credentials: its connections, as a list or comma-separated, to
            read with their subnets.

    Returns:
        What each check found.

    Raises:
        InvalidInput: There is no such block, or a field of it is not valid.
        JobFailed: Something does not work; names each.
    """
    names = parse_connection_names(connection_names)
    checks = check_block(any_block_of("block", block), glue_job_name, names)
    for check in checks:
        (run_log().info if check.passed else run_log().error)("%s: %s", check.what, check.answer)
    rows = [
        {"check": each.what, "works": "yes" if each.passed else "NO", "answer": each.answer}
        for each in checks
    ]
    create_table_artifact(
        rows,
        key="block-check",
        description=f"{sum(each.passed for each in checks)} of {len(checks)} checks passed",
    )
    if failed := [f"{each.what}: {each.answer}" for each in checks if not each.passed]:
        raise JobFailed(f"{len(failed)} of {len(checks)} checks failed. {'; '.join(failed)}")
    return completed(
        {each.what: each.answer for each in checks}, f"{counted(len(checks), 'check')} passed"
    )

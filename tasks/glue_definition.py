"""Deploying a Glue job from its definition."""

from __future__ import annotations

from prefect.artifacts import create_markdown_artifact

from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.blocks.glue_job_definition import GlueJobDefinition
from flinkglue.blocks.loading import block_of
from flinkglue.errors import InvalidInput
from flinkglue.glue.definition.deploy import JobDeployment, deploy_job
from flinkglue.glue.definition.report import deployment_in_words, deployment_markdown
from flinkglue.glue.definition.script_store import Script, ScriptStore
from flinkglue.glue.definition.tags import JobTags
from flinkglue.glue.job_definition import JobDefinition
from flinkglue.glue.models import JobPlace
from flinkglue.markdown import text
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.pages.keys import Kind, glue_key
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step
from flinkglue.prefect.store.server_records import server_records
from flinkglue.prefect.store.variable_locks import VariableLocks
from flinkglue.tasks.glue import RETRIED, aws_session, connect


def definition_of(
    job_definition: GlueJobDefinition | str | None, job_name: str
) -> GlueJobDefinition | None:
    """The block that a run of this job is given, if it is given one.

    Raises:
        InvalidInput: There is no such block, or it defines another job.
    """
    if job_definition is None:
        return None
    block = block_of(GlueJobDefinition, "job_definition", job_definition)
    defined = block.definition.get("Name")
    if defined != job_name:
        raise InvalidInput("job_definition", f"a definition of {defined!r}", f"one of {job_name!r}")
    return block


def script_of(block: GlueJobDefinition) -> Script | None:
    """The script that the block names, read; None when the definition says where one lies.

    Raises:
        InvalidInput: One of ``script`` and ``script_prefix`` is missing, or cannot be used.
    """
    if not block.script and not block.script_prefix:
        return None
    if not block.script or not block.script_prefix:
        missing = "script_prefix" if block.script else "script"
        raise InvalidInput(missing, None, "a value: script and script_prefix go together")
    if (block.definition.get("Command") or {}).get("ScriptLocation"):
        raise InvalidInput(
            "definition.Command.ScriptLocation", "an address", "no value when a script is uploaded"
        )
    return Script.read(block.script, block.script_prefix)


@step(
    task_run_name=lambda given: f"deploy {given['definition'].definition.get('Name', '')}",
    **RETRIED,
)
def deploy_glue_job(
    aws_credentials: AwsCredentials,
    definition: GlueJobDefinition,
    dry_run: bool = False,
    allow_lost_settings: bool = False,
    keep_connections: bool = False,
    place: JobPlace = JobPlace(),  # noqa: B008, frozen
) -> JobDeployment:
    """Create the job, or write what differs from its definition; safe to repeat.

    Args:
        allow_lost_settings: Write also when the job loses what cannot be read of it.
        keep_connections: Leave the connections of a job that exists to its runs.
        place: Where the job is, for its page's key.
    """
    client = connect(aws_credentials)
    document = JobDefinition.from_document(definition.definition, client.job_members)
    script = script_of(definition)
    parameters = aws_credentials.aws_client_parameters.get_params_override()
    session, owner = aws_session(aws_credentials), definition.script_bucket_owner
    scripts = ScriptStore.connect(session, parameters, owner) if script else None
    with server_records() as records:
        deployment = deploy_job(
            client,
            document,
            locks=VariableLocks(records),
            log=run_log(),
            script=script,
            scripts=scripts,
            tags=JobTags.connect(session, parameters) if document.tags else None,
            dry_run=dry_run,
            allow_lost_settings=allow_lost_settings,
            keep_connections=keep_connections,
        )
    show_deployment(client.console.job(document.job_name), deployment, place)
    return deployment


def show_deployment(url: str | None, deployment: JobDeployment, place: JobPlace) -> None:
    """Show the changes on the flow run's page."""
    with best_effort("The changes of the job are not shown on the flow run's page"):
        create_markdown_artifact(
            deployment_markdown(deployment, url),
            key=glue_key(Kind.GLUE_DEFINITION, deployment.job_name, place),
            description=text(deployment_in_words(deployment)),
        )
    for difference in deployment.not_taken:
        run_log().warning(
            "Glue keeps %s as %s, not as %s: correct the definition, or it differs again",
            difference.field,
            difference.old,
            difference.new,
        )

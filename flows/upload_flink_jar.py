"""Deployment flink-jar-upload: a job jar into Blob storage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flinkglue.azure.inputs import JarDirectory, JarName
from flinkglue.azure.names import JAR_NAME
from flinkglue.azure.storage.abfs import AbfsUri
from flinkglue.blocks.azure_storage import storage_of
from flinkglue.form_types import FilePath, Name
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.tasks.azure import upload_flink_jar


@form_flow(name="flink-jar-upload", flow_run_name="upload {jar_path}")
@ends_in_words
def upload_flink_jar_flow(
    jar_path: FilePath,
    jar_directory: JarDirectory,
    jar_name: JarName | None = None,
    storage_block: Name = "flink-storage",
) -> str:
    """Upload a job jar to Blob storage, unless the same content exists already.

    Args:
        jar_path: The jar on the worker's machine.
        jar_directory: The directory to upload to, as an abfs address with container and account.
        jar_name: The name there; empty for the file's own name.
        storage_block: The Azure Blob Storage Credentials block of the account.
    """
    jar = Path(jar_path)
    directory = AbfsUri.parse(jar_directory, "jar_directory")
    if jar_name is None:  # the file's own name needs to be one that a job can ask for
        or_named = replace(JAR_NAME, allowed=f"{JAR_NAME.allowed}, or give a jar_name")
        or_named.require("jar_path", jar.name)
    uploaded = upload_flink_jar(storage_of(storage_block), jar, directory, jar_name or jar.name)
    return completed(uploaded, f"{jar.name} is at {uploaded}")

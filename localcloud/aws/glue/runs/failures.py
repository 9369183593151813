"""The texts of failed runs, as seen on the real service."""

from __future__ import annotations

import uuid


def no_addresses(job_name: str, job_run_id: str, subnet_id: str) -> str:
    """At submission, no connection of the list had a free address."""
    return _executor(job_name, job_run_id, f"Number of IP addresses on subnet is 0: {subnet_id}")


def no_valid_connection(job_name: str, job_run_id: str) -> str:
    """None of the job's connections, or none of their subnets, exists any more."""
    return _executor(job_name, job_run_id, "Unable to resolve any valid connection")


def zone_not_available(job_name: str, job_run_id: str, availability_zone: str) -> str:
    """At submission, the connections that are left lie in zones that are down."""
    return _executor(job_name, job_run_id, f"Could not find subnet for AZ {availability_zone}")


def wrong_setting(job_name: str, job_run_id: str, told: str) -> str:
    """At submission, the connection that was taken names what does not belong to its subnet."""
    return _executor(job_name, job_run_id, told)


def too_few_addresses() -> str:
    """After submission, the subnet could not give the two addresses that a run starts with."""
    return (
        "The specified subnet does not have enough free addresses to satisfy the request. "
        "(Service: AmazonEC2; Status Code: 400; Error Code: InsufficientFreeAddressesInSubnet; "
        f"Request ID: {uuid.uuid4()}; Proxy: null)"
    )


def zone_lost() -> str:
    """The zone went down under a live run."""
    return "Resource unavailable"


def script_not_found(bucket: str, key: str) -> str:
    """The object that Command.ScriptLocation names could not be read."""
    return (
        f"LAUNCH ERROR | Error downloading from S3 for bucket: {bucket}, key: {key}."
        "Not Found (Service: Amazon S3; Status Code: 404; Please refer logs for details."
    )


def script_failed(exit_code: int) -> str:
    """The script ended with an exit code other than 0; a signal counts 128 + its number."""
    return f"Command failed with exit code {128 - exit_code if exit_code < 0 else exit_code}"


def _executor(job_name: str, job_run_id: str, reason: str) -> str:
    return (
        f"JobName:{job_name} and JobRunId:{job_run_id} failed to execute with exception {reason} "
        "(Service: AWSGlueJobExecutor; Status Code: 400; Error Code: InvalidInputException; "
        f"Request ID: {uuid.uuid4()}; Proxy: null)"
    )

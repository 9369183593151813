"""The AWS account of a command: boto3's usual configuration, and options in its place."""

from __future__ import annotations

import argparse
from typing import Any

import boto3

from flinkglue.errors import (
    AuthenticationFailed,
    CallFailed,
    FlinkGlueError,
    InvalidInput,
    NotFound,
)
from flinkglue.form_types import Name, WebUrl
from flinkglue.glue.errors import translated
from infra.argument_types import Region, of_type

# What errors advise is for flow runs, which have a block. A command has none.
_ADVICE: dict[type[CallFailed], str] = {
    AuthenticationFailed: "correct or renew the credentials of --profile or of the environment; "
    "`aws sts get-caller-identity` says whether AWS takes them",
    NotFound: "check the name, --region, and the account of --profile",
}


def add_account_options(command: argparse.ArgumentParser) -> None:
    """Let a command name its account."""
    command.add_argument("--region", type=of_type(Region), help="default: the profile's")
    command.add_argument(
        "--profile", type=of_type(Name), help="a profile of the AWS configuration files"
    )
    command.add_argument(
        "--endpoint-url", type=of_type(WebUrl), help="another endpoint, such as a local cloud"
    )


def session_of(given: argparse.Namespace) -> tuple[boto3.Session, dict[str, Any]]:
    """The session, and the clients' parameters.

    Raises:
        InvalidInput: There is no such profile, no region, or nothing to sign in with.
        CallFailed: What the profile names did not give credentials.
    """
    profiles = boto3.Session().available_profiles if given.profile else []
    if given.profile and given.profile not in profiles:
        known = ", ".join(profiles) or "none is configured"
        raise InvalidInput("profile", given.profile, f"a profile of the AWS configuration: {known}")
    with translated("AWS", "connect", "the AWS account"):
        session = boto3.Session(profile_name=given.profile, region_name=given.region)
        credentials = session.get_credentials()
    if session.region_name is None:
        raise InvalidInput("region", None, "--region, AWS_DEFAULT_REGION or that of a profile")
    if credentials is None:
        allowed = (
            "--profile, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role of this machine"
        )
        raise InvalidInput("credentials", None, allowed)
    return session, {"endpoint_url": given.endpoint_url} if given.endpoint_url else {}


def in_words(error: FlinkGlueError) -> str:
    """What a command says of an error, with what to do in a terminal about one of AWS."""
    if isinstance(error, CallFailed) and error.service != "Prefect":
        advice = next((text for kind, text in _ADVICE.items() if isinstance(error, kind)), None)
        error = error.with_changes(advice=advice) if advice else error
    return f"{type(error).__name__}: {error}"

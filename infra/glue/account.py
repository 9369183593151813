"""The AWS account of a command: boto3's usual configuration, and options in its place."""

from __future__ import annotations

import argparse
from typing import Any

import boto3

from flinkglue.form_types import Name, WebUrl
from flinkglue.glue.errors import translated
from infra.argument_types import Region, of_type


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
        CallFailed: The profile is not there, or has no region.
    """
    with translated("AWS", "connect", "the AWS account"):
        session = boto3.Session(profile_name=given.profile, region_name=given.region)
    return session, {"endpoint_url": given.endpoint_url} if given.endpoint_url else {}

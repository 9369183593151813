"""The sample's part of IAM: the job's role and the policy for the flow's caller."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from infra.glue.network import STACK_TAG, Say
from infra.glue.policy import Account, caller_policy, glue_trust, job_policy
from infra.ownership import NotOurs, present

INLINE_POLICY = "sample-job"


class IdentityStack:
    """Makes and removes the role and the policy; both can be repeated after a failure.

    Args:
        client: Gives the boto3 client of a service.
        account: Where everything lies.
        stack_name: Marks everything made here.
        job_name: The job that the policy is for.
        connection_names: The connections that it is for.
        bucket_name: Where the job's script lies.
        say: Gets a line for everything that is made or removed.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        account: Account,
        stack_name: str,
        job_name: str,
        connection_names: Sequence[str],
        bucket_name: str,
        say: Say,
    ) -> None:
        self._iam = client("iam")
        self._account = account
        self._stack_name = stack_name
        self._job_name = job_name
        self._connection_names = connection_names
        self._bucket_name = bucket_name
        self._say = say
        self.role_name = f"{stack_name}-job"
        self.policy_name = f"{stack_name}-caller"

    @property
    def role_arn(self) -> str:
        return self._account.role_arn(self.role_name)

    @property
    def policy_arn(self) -> str:
        account = self._account
        return f"arn:{account.partition}:iam::{account.account_id}:policy/{self.policy_name}"

    @property
    def _caller_policy(self) -> dict[str, Any]:
        return caller_policy(self._account, self.role_arn, self._job_name, self._connection_names)

    def check_ownership(self) -> None:
        """Refuse names that are somebody else's.

        Raises:
            NotOurs: A role or policy of the wanted name exists already.
        """
        self._owned_role()
        self._owned_caller_policy()

    def up(self) -> None:
        """Make what is missing, and set the rest to the sample's values."""
        self._up_role()
        self._up_caller_policy()

    def down(self) -> None:
        """Remove what this stack made."""
        if self._owned_caller_policy():
            self._remove_caller_policy()
        if self._owned_role():
            self._remove_role()

    def _up_role(self) -> None:
        trust = json.dumps(glue_trust(self._account))
        if self._owned_role():
            self._iam.update_assume_role_policy(RoleName=self.role_name, PolicyDocument=trust)
        else:
            self._iam.create_role(
                RoleName=self.role_name,
                AssumeRolePolicyDocument=trust,
                Description=f"Sample of prefect-flink-glue, stack {self._stack_name}",
                Tags=[{"Key": STACK_TAG, "Value": self._stack_name}],
            )
            self._iam.get_waiter("role_exists").wait(RoleName=self.role_name)
            self._say(f"+ role {self.role_name}")
        self._iam.put_role_policy(
            RoleName=self.role_name,
            PolicyName=INLINE_POLICY,
            PolicyDocument=json.dumps(
                job_policy(self._account, self._bucket_name, self._connection_names)
            ),
        )

    def _up_caller_policy(self) -> None:
        if self._owned_caller_policy():
            self._update_caller_policy()
            self._say(f"= policy {self.policy_name}")
            return
        self._iam.create_policy(
            PolicyName=self.policy_name,
            PolicyDocument=json.dumps(self._caller_policy),
            Description=f"Sample of prefect-flink-glue, stack {self._stack_name}",
            Tags=[{"Key": STACK_TAG, "Value": self._stack_name}],
        )
        self._say(f"+ policy {self.policy_name}")

    def _update_caller_policy(self) -> None:
        """A new default version; IAM keeps five, so the older ones go."""
        for version in self._caller_policy_versions():
            if not version["IsDefaultVersion"]:
                self._delete_caller_policy_version(version)
        self._iam.create_policy_version(
            PolicyArn=self.policy_arn,
            PolicyDocument=json.dumps(self._caller_policy),
            SetAsDefault=True,
        )

    def _caller_policy_versions(self) -> list[dict[str, Any]]:
        return self._each("list_policy_versions", "Versions", PolicyArn=self.policy_arn)

    def _delete_caller_policy_version(self, version: dict[str, Any]) -> None:
        self._iam.delete_policy_version(PolicyArn=self.policy_arn, VersionId=version["VersionId"])

    def _owned_role(self) -> bool:
        answer = present(lambda: self._iam.get_role(RoleName=self.role_name))
        return self._owned_by_tag(answer and answer["Role"], f"Role {self.role_name}")

    def _owned_caller_policy(self) -> bool:
        answer = present(lambda: self._iam.get_policy(PolicyArn=self.policy_arn))
        return self._owned_by_tag(answer and answer["Policy"], f"Policy {self.policy_name}")

    def _owned_by_tag(self, found: dict[str, Any] | None, what: str) -> bool:
        if found is None:
            return False
        if {"Key": STACK_TAG, "Value": self._stack_name} not in found.get("Tags", []):
            raise NotOurs(what)
        return True

    def _remove_caller_policy(self) -> None:
        arn = self.policy_arn
        for user in self._each("list_entities_for_policy", "PolicyUsers", PolicyArn=arn):
            self._iam.detach_user_policy(UserName=user["UserName"], PolicyArn=arn)
        for role in self._each("list_entities_for_policy", "PolicyRoles", PolicyArn=arn):
            self._iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
        for group in self._each("list_entities_for_policy", "PolicyGroups", PolicyArn=arn):
            self._iam.detach_group_policy(GroupName=group["GroupName"], PolicyArn=arn)
        for version in self._caller_policy_versions():
            if not version["IsDefaultVersion"]:
                self._delete_caller_policy_version(version)
        self._iam.delete_policy(PolicyArn=arn)
        self._say(f"- policy {self.policy_name}")

    def _remove_role(self) -> None:
        name = self.role_name
        for policy in self._each("list_attached_role_policies", "AttachedPolicies", RoleName=name):
            self._iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        for policy_name in self._each("list_role_policies", "PolicyNames", RoleName=name):
            self._iam.delete_role_policy(RoleName=name, PolicyName=policy_name)
        self._iam.delete_role(RoleName=name)
        self._say(f"- role {name}")

    def _each(self, operation: str, kind: str, **parameters: str) -> list[Any]:
        """All pages of a list, read before anything of it is changed."""
        pages = self._iam.get_paginator(operation).paginate(**parameters)
        return [item for page in pages for item in page.get(kind, [])]

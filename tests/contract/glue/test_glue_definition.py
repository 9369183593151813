"""A Glue job as code, deployed with the library to the local AWS."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.s3.models import s3_backends

from flinkglue.errors import CallFailed, InvalidInput, PermissionDenied
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.lock import InProcessLocks
from flinkglue.glue.definition.deploy import Deployed, JobDeployment, deploy_job
from flinkglue.glue.definition.script_store import Script, ScriptStore
from flinkglue.glue.definition.tags import JobTags
from flinkglue.glue.job_definition import JobDefinition
from infra import glue_deploy
from tests.contract.aws.aws_cloud import ROLE, SCRIPTS, AwsCloud

pytestmark = pytest.mark.contract

LOG = logging.getLogger("test")
ORDERS: dict[str, Any] = {
    "Name": "orders",
    "Role": ROLE,
    "Command": {"Name": "glueetl", "PythonVersion": "3"},
    "GlueVersion": "5.0",
    "WorkerType": "G.1X",
    "NumberOfWorkers": 4,
    "DefaultArguments": {"--topic": "orders", "--job-language": "python"},
    "Connections": {"Connections": ["a", "b"]},
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsCloud]:
    cloud = AwsCloud(tmp_path_factory.mktemp("aws"))
    cloud.connection("a")
    cloud.connection("b")
    cloud.s3.create_bucket(Bucket=SCRIPTS)
    yield cloud
    cloud.close()


@pytest.fixture
def cloud(shared: AwsCloud) -> Iterator[AwsCloud]:
    """Without the job and its scripts."""
    yield shared
    shared.check_permissions()
    shared.glue.delete_job(JobName=ORDERS["Name"])
    for stored in shared.s3.list_objects_v2(Bucket=SCRIPTS).get("Contents", []):
        shared.s3.delete_object(Bucket=SCRIPTS, Key=stored["Key"])
    shared.wire.requests.clear()
    shared.wire.faults.clear()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "orders.py"
    path.write_text("print('first')")
    return path


class Account:
    """The account as the deployment sees it."""

    def __init__(self, cloud: AwsCloud) -> None:
        account = cloud.account
        self.session = boto3.Session(
            account["access_key_id"],
            account["secret_access_key"],
            region_name=account["region"],
        )
        self.parameters = {"endpoint_url": account["endpoint_url"]}
        self.client = GlueClient.connect(self.session, self.parameters)
        self.scripts = ScriptStore.connect(self.session, self.parameters)
        self.tags = JobTags.connect(self.session, self.parameters)
        self.cloud = cloud

    def deploy(
        self,
        document: dict[str, Any],
        script: Path | None = None,
        *,
        dry_run: bool = False,
        bucket: str = SCRIPTS,
        scripts: ScriptStore | None = None,
    ) -> JobDeployment:
        return deploy_job(
            self.client,
            JobDefinition.from_document(document, self.client.job_members),
            locks=InProcessLocks(),
            log=LOG,
            script=Script.read(str(script), f"s3://{bucket}/etl") if script else None,
            scripts=scripts or self.scripts,
            tags=self.tags,
            dry_run=dry_run,
        )

    def calls(self, operation: str) -> int:
        return len(self.cloud.requests("*", operation))


@pytest.fixture(scope="module")
def connected(shared: AwsCloud) -> Account:
    return Account(shared)


@pytest.fixture
def account(connected: Account, cloud: AwsCloud) -> Account:
    return connected


def test_a_job_is_created_once_and_then_left_alone(account: Account, script: Path) -> None:
    created = account.deploy(ORDERS, script)
    assert (created.deployed, created.previous) == (Deployed.CREATED, None)
    assert created.not_taken == ()
    job = account.client.get_job("orders")
    assert job["NumberOfWorkers"] == 4
    assert job["Command"]["ScriptLocation"] == created.script_location
    assert created.script_location.startswith(f"s3://{SCRIPTS}/etl/orders-")

    again = account.deploy(ORDERS, script)
    assert (again.deployed, again.changes) == (Deployed.UNCHANGED, ())
    assert (account.calls("CreateJob"), account.calls("UpdateJob")) == (1, 0)
    assert account.calls("PutObject") == 1


def test_only_what_differs_is_shown_and_the_rest_of_the_job_stays(
    account: Account, script: Path
) -> None:
    account.deploy(ORDERS, script)
    account.cloud.glue.update_job(
        JobName="orders",
        JobUpdate={
            **{name: ORDERS[name] for name in ("Role", "WorkerType", "NumberOfWorkers")},
            "Command": account.client.get_job("orders")["Command"],
            "Description": "set in the console",
            "Connections": {"Connections": ["b", "a"]},
            "DefaultArguments": ORDERS["DefaultArguments"],
        },
    )
    script.write_text("print('second')")
    first = account.client.get_job("orders")["Command"]["ScriptLocation"]
    arguments = {"--topic": "orders-eu", "--job-language": "python"}
    updated = account.deploy(
        {**ORDERS, "NumberOfWorkers": 6, "DefaultArguments": arguments}, script
    )
    assert updated.deployed is Deployed.UPDATED
    rows = {change.field: (change.old, change.new) for change in updated.changes}
    assert rows.pop("Command.ScriptLocation") == (first, updated.script_location)
    assert rows.pop("GlueVersion", None) in (None, ("(unset)", "5.0"))
    assert rows == {
        "NumberOfWorkers": ("4", "6"),
        "DefaultArguments.--topic": ("orders", "orders-eu"),
    }
    job = account.client.get_job("orders")
    assert job["Description"] == "set in the console"
    assert job["Connections"]["Connections"] == ["b", "a"]  # the order is that of the runs
    stored = {each["Key"] for each in account.cloud.s3.list_objects_v2(Bucket=SCRIPTS)["Contents"]}
    assert len(stored) == 2  # what the job ran before is still there


def test_a_deployment_is_undone_by_what_was_there_before(account: Account, script: Path) -> None:
    account.deploy(ORDERS, script)
    before = account.client.get_job("orders")
    changed = account.deploy({"Name": "orders", "Timeout": 7, "Description": "worse"})
    assert changed.previous is not None
    undone = account.deploy({"Name": "orders", "Description": None, **changed.previous})
    assert undone.deployed is Deployed.UPDATED
    after = account.client.get_job("orders")
    volatile = ("LastModifiedOn", "CreatedOn")
    assert {name: after[name] for name in after if name not in volatile} == {
        name: before[name] for name in before if name not in volatile
    }


def tags_of(account: Account) -> dict[str, str]:
    arn = f"arn:aws:glue:us-east-1:{account.cloud.account['account_id']}:job/orders"
    tags: dict[str, str] = account.cloud.glue.get_tags(ResourceArn=arn)["Tags"]
    return tags


def test_tags_that_a_definition_names_are_kept_and_no_others(account: Account) -> None:
    """UpdateJob has none: they are written apart, and a job is left alone if only they differ."""
    command = {**ORDERS["Command"], "ScriptLocation": "s3://b/orders.py"}
    tagged = {**ORDERS, "Command": command, "Tags": {"team": "orders", "stage": "test"}}
    account.deploy(tagged)
    arn = f"arn:aws:glue:us-east-1:{account.cloud.account['account_id']}:job/orders"
    account.cloud.glue.tag_resource(ResourceArn=arn, TagsToAdd={"costs": "set by the company"})
    assert account.deploy(tagged).deployed is Deployed.UNCHANGED

    other = {**tagged, "Tags": {"team": "billing", "stage": None, "gone": None}}
    planned = account.deploy(other, dry_run=True)
    again = account.deploy(other)
    assert (planned.deployed, again.deployed) == (Deployed.PLANNED, Deployed.UPDATED)
    assert planned.changes == again.changes
    rows = [(row.field, row.old, row.new) for row in again.changes]
    assert rows == [("Tags.stage", "test", "(unset)"), ("Tags.team", "orders", "billing")]
    assert tags_of(account) == {"team": "billing", "costs": "set by the company"}
    assert account.calls("UpdateJob") == 0
    assert account.deploy(other).deployed is Deployed.UNCHANGED


REFUSED = {"status": 400, "message": "AccessDeniedException: not allowed"}


def tagged(**tags: str | None) -> dict[str, Any]:
    command = {**ORDERS["Command"], "ScriptLocation": "s3://b/orders.py"}
    return {**ORDERS, "Command": command, "Tags": tags}


def test_tags_that_may_not_be_read_keep_no_job_from_its_settings(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """A definition may name them for CreateJob alone, which takes no further permission."""
    account.deploy(tagged(team="orders"))
    account.cloud.wire.faults.add("glue:GetTags", "error", **REFUSED)
    caplog.clear()
    assert account.deploy(tagged(team="orders")).deployed is Deployed.UNCHANGED
    [warning] = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert "tags of job orders" in warning
    assert "GetTags" in warning
    larger = account.deploy({**tagged(team="billing"), "NumberOfWorkers": 6})
    assert [(row.field, row.new) for row in larger.changes] == [("NumberOfWorkers", "6")]
    assert account.calls("TagResource") == 0
    with pytest.raises(PermissionDenied, match="GetTags"):  # no definition for CreateJob has that
        account.deploy(tagged(team=None))


def test_a_job_is_created_with_its_tags_without_a_question_to_sts(cloud: AwsCloud) -> None:
    fresh = Account(cloud)
    cloud.wire.requests.clear()  # the store of scripts has asked for its own account
    fresh.tags = JobTags.connect(fresh.session, fresh.parameters)
    fresh.deploy(tagged(team="orders"))
    assert fresh.calls("GetCallerIdentity") == 0
    cloud.wire.requests.clear()
    assert fresh.deploy(tagged(team="billing")).deployed is Deployed.UPDATED
    assert tags_of(fresh) == {"team": "billing"}
    assert fresh.calls("GetCallerIdentity") == 1


def test_a_definition_without_tags_reads_none(account: Account, script: Path) -> None:
    account.deploy(ORDERS, script)
    account.deploy({**ORDERS, "NumberOfWorkers": 5}, script)
    assert account.calls("GetTags") == account.calls("UntagResource") == 0


def test_a_dry_run_writes_nothing(account: Account, script: Path) -> None:
    planned = account.deploy(ORDERS, script, dry_run=True)
    assert planned.deployed is Deployed.PLANNED
    assert {change.field for change in planned.changes} >= {"Role", "NumberOfWorkers"}
    for operation in ("CreateJob", "UpdateJob", "PutObject"):
        assert account.calls(operation) == 0


def test_a_script_that_somebody_deleted_is_uploaded_again(account: Account, script: Path) -> None:
    created = account.deploy(ORDERS, script)
    key = created.script_location.removeprefix(f"s3://{SCRIPTS}/")
    account.cloud.s3.delete_object(Bucket=SCRIPTS, Key=key)
    assert account.deploy(ORDERS, script).deployed is Deployed.UNCHANGED
    assert account.cloud.s3.head_object(Bucket=SCRIPTS, Key=key)["ContentLength"] > 0


OTHERS, OTHERS_BUCKET = "210987654321", "others-scripts"


@pytest.fixture
def others_bucket(cloud: AwsCloud) -> Iterator[str]:
    """A bucket of another account that is open to all."""
    others = s3_backends[OTHERS]["aws"]
    others.create_bucket(OTHERS_BUCKET, cloud.account["region"])
    yield OTHERS_BUCKET
    others.reset()


def test_a_script_is_not_put_into_the_bucket_of_another_account(
    account: Account, script: Path, others_bucket: str
) -> None:
    """Its owner could change what the job runs with the job's role."""
    own = account.cloud.account["account_id"]
    with pytest.raises(PermissionDenied, match=f"must be one of account {own}, or name its owner"):
        account.deploy(ORDERS, script, bucket=others_bucket)
    assert account.calls("CreateJob") == 0


def test_the_owner_of_a_bucket_that_accounts_share_can_be_named(
    account: Account, script: Path, others_bucket: str
) -> None:
    scripts = ScriptStore.connect(account.session, account.parameters, bucket_owner=OTHERS)
    created = account.deploy(ORDERS, script, bucket=others_bucket, scripts=scripts)
    assert created.script_location.startswith(f"s3://{others_bucket}/etl/orders-")
    assert account.calls("PutObject") == 1


def test_a_streaming_job_is_as_it_was_exported(account: Account, script: Path) -> None:
    """GetJob shows its Timeout of 0, which only the SDK's own validation refuses."""
    streaming = {**ORDERS, "Command": {"Name": "gluestreaming", "PythonVersion": "3"}}
    account.deploy({**streaming, "Timeout": 0}, script)
    exported = account.client.get_job("orders")
    assert exported["Timeout"] == 0
    assert account.deploy({**exported, "Name": "orders"}).deployed is Deployed.UNCHANGED


def test_a_value_of_the_wrong_type_is_refused_without_being_repeated(account: Account) -> None:
    wrong = {"Name": "orders", "DefaultArguments": {"--password": ["canary"]}}
    with pytest.raises(InvalidInput) as refused:
        account.deploy(wrong)
    assert "canary" not in str(refused.value)
    assert "DefaultArguments.--password" in str(refused.value)


def test_a_token_that_cannot_be_read_is_not_overwritten(account: Account, script: Path) -> None:
    """A job whose repository shows how one signs in and not the token: UpdateJob writes it all."""
    source = {"Provider": "GITHUB", "AuthStrategy": "PERSONAL_ACCESS_TOKEN"}
    account.deploy({**ORDERS, "SourceControlDetails": source}, script)
    repository = {"SourceControlDetails": {**source, "AuthToken": "canary-token"}}
    changed = {"Name": "orders", "Timeout": 9}
    with pytest.raises(InvalidInput) as refused:
        account.deploy(changed)
    assert refused.value.field == "allow_lost_settings"
    assert "SourceControlDetails.AuthToken" in str(refused.value)
    again = account.deploy({**changed, **repository})
    assert account.client.get_job("orders")["Timeout"] == 9
    assert "canary-token" not in repr(again.changes)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "error"])
def test_a_creation_whose_answer_is_lost_is_looked_up(
    account: Account, script: Path, fault: Any
) -> None:
    account.cloud.wire.faults.add("glue:CreateJob", fault, times=1)
    try:
        account.deploy(ORDERS, script)
    except CallFailed:
        assert fault != "drop_after"
        account.deploy(ORDERS, script)
    assert account.client.get_job("orders")["NumberOfWorkers"] == 4
    assert account.deploy(ORDERS, script).deployed is Deployed.UNCHANGED


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"Role": ROLE}, "definition.Name"),
        ({**ORDERS, "NumberOfWorker": 3}, "definition.NumberOfWorker"),
        ({**ORDERS, "NumberOfWorkers": "four"}, "definition"),
        ({"Name": "orders", "Role": ROLE}, "definition.Command"),
        ({"Name": "orders", "Role": ROLE, "Command": {"Name": "glueetl"}},
         "definition.Command.ScriptLocation"),
    ],
)  # fmt: skip
def test_a_definition_that_cannot_be_used_is_refused_by_its_field(
    account: Account, document: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        account.deploy(document)
    assert refused.value.field == field
    for operation in ("CreateJob", "UpdateJob", "PutObject"):
        assert account.calls(operation) == 0


def test_the_command_deploys_and_exports(
    account: Account,
    script: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, key in [
        ("ACCESS_KEY_ID", "access_key_id"),
        ("SECRET_ACCESS_KEY", "secret_access_key"),
    ]:
        monkeypatch.setenv(f"AWS_{name}", account.cloud.account[key])
    where = ["--endpoint-url", account.parameters["endpoint_url"], "--region", "us-east-1"]
    definition = tmp_path / "job.json"
    definition.write_text(json.dumps(ORDERS))
    apply = ["apply", str(definition), "--script", str(script), "--without-prefect", *where]
    apply += ["--script-prefix", f"s3://{SCRIPTS}"]
    assert glue_deploy.main([*apply, "--dry-run"]) == glue_deploy.WOULD_CHANGE
    assert glue_deploy.main(apply) == 0
    capsys.readouterr()
    assert glue_deploy.main([*apply, "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["deployed"] == "unchanged"
    assert glue_deploy.main(["export", "orders", *where]) == 0
    exported = json.loads(capsys.readouterr().out)
    assert account.deploy(exported).deployed is Deployed.UNCHANGED
    definition.write_text("[]")
    assert glue_deploy.main(apply) == 2
    assert glue_deploy.main([*apply[:2], *where, "--script", str(script)]) == 2

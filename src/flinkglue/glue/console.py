"""Links into the AWS console. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from flinkglue.glue.models import JobRun

CONSOLE_DOMAINS = {
    "aws": "aws.amazon.com",
    "aws-cn": "amazonaws.cn",
    "aws-us-gov": "amazonaws-us-gov.com",
}


@dataclass(frozen=True)
class Console:
    """The console of one region; `partition` is botocore's word, for example ``aws-cn``."""

    partition: str
    region: str

    def _home(self, service: str) -> str:
        domain = CONSOLE_DOMAINS.get(self.partition, CONSOLE_DOMAINS["aws"])
        return f"https://{self.region}.console.{domain}/{service}/home?region={self.region}"

    def job(self, job_name: str) -> str:
        """The job in Glue Studio."""
        return f"{self._home('gluestudio')}#/editor/job/{quote(job_name, safe='')}/script"

    def vpc(self, vpc_id: str) -> str:
        """The VPC."""
        return f"{self._home('vpcconsole')}#VpcDetails:VpcId={vpc_id}"

    def job_run(self, run: JobRun) -> str:
        """The run's page in Glue Studio."""
        job = quote(run.job_name, safe="")
        return f"{self._home('gluestudio')}#/job/{job}/run/{quote(run.job_run_id, safe='')}"

    def logs(self, run: JobRun, kind: str = "output") -> str:
        """The run's log stream in CloudWatch; `kind` is ``output`` or ``error``."""
        # The CloudWatch console escapes twice, the second time with $ for %.
        group = quote(quote(f"{run.log_group_name}/{kind}", safe=""), safe="").replace("%", "$")
        stream = quote(quote(run.job_run_id, safe=""), safe="").replace("%", "$")
        home = self._home("cloudwatch")
        return f"{home}#logsV2:log-groups/log-group/{group}/log-events/{stream}"

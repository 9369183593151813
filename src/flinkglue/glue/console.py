"""Links into the AWS console. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from flinkglue.glue.log_places import LogPlace, log_places
from flinkglue.glue.models import JobRun

CONSOLE_DOMAINS = {
    "aws": "aws.amazon.com",
    "aws-cn": "amazonaws.cn",
    "aws-us-gov": "amazonaws-us-gov.com",
    "aws-eusc": "amazonaws-eusc.eu",
}
"""The partitions whose console is publicly known. For others there is no link: none is better than
one that leads to another partition."""


@dataclass(frozen=True)
class Console:
    """The console of one region; `partition` is botocore's word, for example ``aws-cn``.

    Each link is None in a partition whose console is not known.
    """

    partition: str
    region: str

    def job(self, job_name: str) -> str | None:
        """The job in Glue Studio."""
        return self._link("gluestudio", f"/editor/job/{quote(job_name, safe='')}/script")

    def vpc(self, vpc_id: str) -> str | None:
        """The VPC."""
        return self._link("vpcconsole", f"VpcDetails:VpcId={vpc_id}")

    def subnet(self, subnet_id: str) -> str | None:
        """The subnet."""
        return self._link("vpcconsole", f"SubnetDetails:subnetId={subnet_id}")

    def job_run(self, run: JobRun) -> str | None:
        """The run's page in Glue Studio."""
        job = quote(run.job_name, safe="")
        return self._link("gluestudio", f"/job/{job}/run/{quote(run.job_run_id, safe='')}")

    def logs(self, run: JobRun, kind: str = "output") -> str | None:
        """The likeliest place of the run's log; `kind` is ``output``, ``error`` or ``driver``."""
        return self.log_stream(log_places(run, kind)[0])

    def log_stream(self, place: LogPlace) -> str | None:
        """A log stream in CloudWatch."""
        # The CloudWatch console escapes twice, the second time with $ for %.
        group = quote(quote(place.log_group_name, safe=""), safe="").replace("%", "$")
        stream = quote(quote(place.log_stream_name, safe=""), safe="").replace("%", "$")
        return self._link("cloudwatch", f"logsV2:log-groups/log-group/{group}/log-events/{stream}")

    def _link(self, service: str, place: str) -> str | None:
        domain = CONSOLE_DOMAINS.get(self.partition)
        if domain is None:
            return None
        home = f"https://{self.region}.console.{domain}/{service}/home"
        return f"{home}?region={self.region}#{place}"

"""The ordered table of failures: what Glue says, and what to do then. Pure.

Glue uses the same error code and service for a full subnet and for a wrong setting, so the message
decides. Only one text counts wherever it stands: Glue ends a Spark context with it, and Spark
repeats it behind whatever the script was doing.
"""

from __future__ import annotations

from flinkglue.glue.failures.rule import Blame, FailureClass, Rule

A, B, C = FailureClass.FAIL_OVER, FailureClass.WAIT, FailureClass.STOP

NOT_SUBMITTED = "JobName:nightly and JobRunId:jr_0a1b failed to execute with exception "
ANSWER = "Request ID: 00000000-0000-0000-0000-000000000000; Proxy: null)"
REFUSED = (
    f"(Service: AWSGlueJobExecutor; Status Code: 400; Error Code: InvalidInputException; {ANSWER}"
)

THE_SCRIPT = "the script failed: read its error log"
TOO_MANY_CALLS = "the account makes too many calls; they are repeated later"
NO_ROOM_ANYWHERE = (
    "free addresses in the subnets of the job's connections, or add a connection whose subnet has "
    "room, then run the job again"
)
ANOTHER_ZONE = (
    "add a connection in another availability zone, or run the job again when the zone has capacity"
)
FEWER_CALLS = "run the job again when the account makes fewer calls, or have the quota raised"
RUN_AGAIN = (
    "run the job again later; if it fails the same way, give AWS Support the id of the job run"
)
FEWER_WORKERS = "run the job again later, or with fewer workers"
WAIT_FOR_A_SLOT = (
    "run the job again when its other runs have ended, or raise its maximum of concurrent runs"
)
TRUST_GLUE = (
    "let glue.amazonaws.com assume the job's role, in the role's trust policy; a role that was "
    "just created is known everywhere after some seconds"
)
ANOTHER_SUBNET = "give the connection a subnet that exists"
OTHER_GROUPS = "give the connection security groups that exist in the VPC of its subnet"
INTERFACE_QUOTA = (
    "the region's quota of network interfaces is in use, so no other subnet helps: have it raised, "
    "or delete interfaces that nobody uses"
)
NO_EXECUTORS = "executors could not be started; the same order is retried later"
NO_SLOT = "another run of the job is live, or Glue is still cleaning up after one (5 to 10 s)"

SERVICE_CODES = (
    "ConcurrentRunsExceededException",
    "InternalServiceException",
    "OperationTimeoutException",
    "RequestExpired",
    "ServiceUnavailableException",
    "ThrottlingException",
)
"""What Glue itself puts before a message. A script's AWS client goes on: ``An error occurred``."""

RULES: tuple[Rule, ...] = (
    Rule(
        r".*\bcaused by threshold for executors failed after launch reached",
        B,
        NO_EXECUTORS,
        "An error occurred while calling o97.getDynamicFrame. Job 0 cancelled because "
        "SparkContext was shut down caused by threshold for executors failed after launch reached",
        final_advice=FEWER_WORKERS,
    ),
    Rule(
        rf"(?:{'|'.join(SERVICE_CODES)}): (?!An error occurred)",
        B,
        "a service is busy, or failed; it is retried later",
        "InternalServiceException: Internal service failure",
        final_advice=RUN_AGAIN,
    ),
    Rule(
        r"(?:Error: )?VPC S3 endpoint validation failed for SubnetId: .*"
        r"Could not find S3 endpoint or NAT gateway",
        A,
        "give the subnet's route table an S3 gateway endpoint or a NAT gateway",
        "VPC S3 endpoint validation failed for SubnetId: subnet-0a1b2c3d. VPC: vpc-0a1b2c3d. "
        "Reason: Could not find S3 endpoint or NAT gateway for subnetId: subnet-0a1b2c3d in Vpc "
        "vpc-0a1b2c3d",
        Blame.SUBNET,
        alert=True,
    ),
    Rule(
        r"Error Category: ",
        C,
        THE_SCRIPT,
        "Error Category: UNCLASSIFIED_ERROR; Failed Line Number: 12; ClientError: An error "
        "occurred (ThrottlingException) when calling the PutItem operation: Rate exceeded",
    ),
    Rule(
        r"An error occurred (?:while calling |\()",
        C,
        THE_SCRIPT,
        "An error occurred while calling o102.pyWriteDynamicFrame. Slow Down (Service: Amazon S3; "
        "Status Code: 503; Error Code: 503 Slow Down)",
    ),
    Rule(
        r"Exception in User Class",
        C,
        THE_SCRIPT,
        "Exception in User Class: java.lang.RuntimeException : Resource unavailable",
    ),
    Rule(
        r"[\w.$]*(?:Error|Exception|Exit|Interrupt|Warning): ",
        C,
        THE_SCRIPT,
        "AnalysisException: Resource unavailable",
    ),
    Rule(r"Command failed with exit code", C, THE_SCRIPT, "Command failed with exit code 1"),
    Rule(
        r"LAUNCH ERROR \| Installation of Additional Python Modules failed",
        C,
        "correct --additional-python-modules, or give the subnet a way to the package index",
        "LAUNCH ERROR | Installation of Additional Python Modules failed",
    ),
    Rule(
        r"LAUNCH ERROR",
        C,
        "the run could not be prepared: correct what the message names",
        "LAUNCH ERROR | Error downloading from S3 for bucket: scripts, key: nightly.py.Not Found "
        "(Service: Amazon S3; Status Code: 404; Please refer logs for details.",
    ),
    Rule(
        r"Number of IP addresses on subnet is 0",
        A,
        "the subnet is full; another one is tried",
        f"{NOT_SUBMITTED}Number of IP addresses on subnet is 0: subnet-0a1b2c3d {REFUSED}",
        Blame.SUBNET,
        final_advice=NO_ROOM_ANYWHERE,
    ),
    Rule(
        r"The specified subnet does not have enough free addresses to satisfy the request",
        A,
        "the subnet ran out of addresses; another one is tried",
        "The specified subnet does not have enough free addresses to satisfy the request. "
        "(Service: AmazonEC2; Status Code: 400; Error Code: InsufficientFreeAddressesInSubnet)",
        Blame.SUBNET,
        final_advice=NO_ROOM_ANYWHERE,
        code="InsufficientFreeAddressesInSubnet",
    ),
    Rule(
        r"Could not find subnet for AZ",
        A,
        "the zone is out of service for Glue; another one is tried",
        "Could not find subnet for AZ us-east-1a",
        Blame.ZONE,
        final_advice=ANOTHER_ZONE,
    ),
    Rule(
        r"Availability Zone \S{1,255} does not correspond to subnet",
        A,
        "give the connection the availability zone of its subnet",
        f"{NOT_SUBMITTED}Availability Zone us-east-1a does not correspond to subnet {REFUSED}",
        alert=True,
    ),
    Rule(
        r"The subnet ID '?subnet-\w+'? does not exist",
        A,
        ANOTHER_SUBNET,
        f"{NOT_SUBMITTED}The subnet ID 'subnet-0a1b2c3d' does not exist (Service: AmazonEC2; "
        f"Status Code: 400; Error Code: InvalidSubnetID.NotFound; {ANSWER}",
        Blame.SUBNET,
        alert=True,
        code="InvalidSubnetID.NotFound",
    ),
    Rule(
        r"The security group '?sg-\w+'? does not exist",
        A,
        OTHER_GROUPS,
        f"{NOT_SUBMITTED}The security group 'sg-0a1b2c3d' does not exist in VPC 'vpc-0a1b2c3d' "
        f"(Service: AmazonEC2; Status Code: 400; Error Code: InvalidGroup.NotFound; {ANSWER}",
        alert=True,
        code="InvalidGroup.NotFound",
    ),
    Rule(
        r"(?:You have specified two resources that|Security group \S{1,99} and subnet \S{1,99}) "
        r"belong to different networks",
        A,
        "give the connection security groups of the VPC of its subnet",
        f"{NOT_SUBMITTED}Security group sg-0a1b2c3d and subnet subnet-0a1b2c3d belong to different "
        f"networks. (Service: AmazonEC2; Status Code: 400; Error Code: InvalidParameter; {ANSWER}",
        alert=True,
    ),
    Rule(
        "",
        A,
        "give the connection fewer security groups, or have the quota per interface raised",
        "Error Code: SecurityGroupsPerInterfaceLimitExceeded",
        alert=True,
        code="SecurityGroupsPerInterfaceLimitExceeded",
    ),
    Rule(
        r"The maximum number of network interfaces has been reached",
        B,
        INTERFACE_QUOTA,
        "The maximum number of network interfaces has been reached. (Service: AmazonEC2; Status "
        f"Code: 400; Error Code: NetworkInterfaceLimitExceeded; {ANSWER}",
        alert=True,
        code="NetworkInterfaceLimitExceeded",
    ),
    Rule(
        r"At least one security group must open all ingress",
        A,
        "add a rule to the connection's security group that allows all TCP from itself",
        "At least one security group must open all ingress ports. To limit traffic, the source "
        "security group in your inbound rule can be restricted to the same security group",
        alert=True,
    ),
    Rule(
        r"At least one security group must open all egress",
        A,
        "allow all outgoing traffic in the connection's security group",
        "At least one security group must open all egress ports.",
        alert=True,
    ),
    Rule(
        r"Resource unavailable\b",
        A,
        "Glue has no capacity in this zone; another one is tried",
        "Resource unavailable",
        Blame.ZONE,
        in_vpc_only=True,
        final_advice=ANOTHER_ZONE,
    ),
    Rule(
        r"Resource unavailable\b",
        B,
        "Glue has no capacity now; the run takes no subnet, so it is retried later",
        "Resource unavailable",
        final_advice=FEWER_WORKERS,
    ),
    Rule(
        r"(?:The )?threshold for executors failed after launch reached",
        B,
        NO_EXECUTORS,
        "threshold for executors failed after launch reached. Note: This run was executed with "
        "Auto Scaling enabled.",
        final_advice=FEWER_WORKERS,
    ),
    Rule(
        r"Exceeded maximum concurrent compute capacity",
        B,
        "the account's DPU quota is in use; wait, or ask for a higher quota",
        "Exceeded maximum concurrent compute capacity for your account. Please contact AWS "
        "Support.",
    ),
    Rule(
        r"(?:Max )?concurrent runs exceeded",
        B,
        NO_SLOT,
        "Max concurrent runs exceeded",
        final_advice=WAIT_FOR_A_SLOT,
        code="ConcurrentRunsExceeded",
    ),
    Rule(
        r"Rate exceeded\b",
        B,
        TOO_MANY_CALLS,
        "Rate exceeded (Service: AWSGlue; Status Code: 400; Error Code: ThrottlingException)",
        final_advice=FEWER_CALLS,
        code="Throttling",
    ),
    Rule(
        "",
        B,
        "Glue itself failed; it is retried later",
        "Error Code: InternalServiceException",
        code="InternalService",
        final_advice=RUN_AGAIN,
    ),
    Rule(
        "",
        B,
        "Glue itself timed out; it is retried later",
        "Error Code: OperationTimeoutException",
        code="OperationTimeout",
        final_advice=RUN_AGAIN,
    ),
    Rule(
        "",
        B,
        "a service is unavailable; it is retried later",
        "Error Code: ServiceUnavailableException",
        code="ServiceUnavailable",
        final_advice=RUN_AGAIN,
    ),
    Rule(
        r"Request has expired\b",
        B,
        "a request was late; it is retried later",
        "Request has expired. (Service: AmazonEC2; Status Code: 400; Error Code: RequestExpired)",
        final_advice=RUN_AGAIN,
        code="RequestExpired",
    ),
    Rule(
        r"Unable to resolve any valid connection",
        C,
        "no connection of the job passes Glue's checks: test each one in the Glue console",
        f"{NOT_SUBMITTED}Unable to resolve any valid connection {REFUSED}",
        alert=True,
    ),
    Rule(
        r"Role \S{1,2048} should be given assume role permissions for Glue Service",
        C,
        TRUST_GLUE,
        f"{NOT_SUBMITTED}Role arn:aws:iam::000000000000:role/GlueJobRole should be given assume "
        f"role permissions for Glue Service. {REFUSED}",
        alert=True,
    ),
    Rule(
        r"(?:Service is )?unable to assume (?:provided )?role",
        C,
        TRUST_GLUE,
        "Service is unable to assume role arn:aws:iam::000000000000:role/GlueJobRole. Please "
        "verify role's TrustPolicy",
        alert=True,
    ),
    Rule(
        r"Invalid input\b",
        C,
        "Glue refused a setting without naming it: compare the job's workers, capacity, Glue "
        "version, connections and arguments with what its console takes for such a job",
        "Invalid input provided",
    ),
    Rule(
        r"Could not find connection for the given criteria",
        C,
        "the job names a connection that does not exist: correct its list of connections",
        "Could not find connection for the given criteria Key(accountId=000000000000, "
        "connectionName=missing)",
    ),
    Rule(
        r"No private DNS for network interface found",
        C,
        "switch on DNS host names in the VPC",
        "No private DNS for network interface found",
    ),
    Rule(
        r"Failed to call ec2:DescribeSubnets",
        C,
        "allow ec2:DescribeSubnets to the job's role",
        "Failed to call ec2:DescribeSubnets",
    ),
)

"""Job arguments, as awsglue.utils gives them to scripts."""

import argparse

_RESERVED = ("JOB_NAME", "JOB_ID", "JOB_RUN_ID", "SECURITY_CONFIGURATION", "TempDir")


class GlueArgumentError(Exception):
    """An argument that the script asks for was not given."""


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise GlueArgumentError(message)


def getResolvedOptions(args, options):
    """The values of the named arguments, and of Glue's own where they were given.

    https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-crawler-pyspark-extensions-get-resolved-options.html
    """
    parser = _Parser(allow_abbrev=False, add_help=False)
    for option in options:
        parser.add_argument(f"--{option}", required=True)
    for option in _RESERVED:
        if option not in options:
            parser.add_argument(f"--{option}", default=argparse.SUPPRESS)
    return vars(parser.parse_known_args(args[1:])[0])

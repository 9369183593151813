"""The command line of the local cloud: ``python -m localcloud --help``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from localcloud import commands
from localcloud.assembly import PART_NAMES
from localcloud.client import CloudNotRunning, CloudRefused
from localcloud.config import DEFAULT_STATE_DIR
from localcloud.web.wire import FAULT_KINDS

_EXAMPLES = """\
examples:
  python -m localcloud up                              all parts, until Ctrl-C
  python -m localcloud up --detach --flink-slots 8     in the background
  python -m localcloud up --only aws --port aws=5000   a part alone, at a port of your choice
  python -m localcloud up --state-dir /tmp/second      a second cloud next to the first
  python -m localcloud status --json
  python -m localcloud logs flink -f
  python -m localcloud fault aws fill-subnet --subnet-id subnet-0a1b2c3d --leave 1
  python -m localcloud fault add 'glue:*' throttle --share 0.2
  python -m localcloud requests --service glue
  python -m localcloud down
"""
_FAULT_EXAMPLES = """\
examples:
  python -m localcloud fault list
  python -m localcloud fault add 'arm:ClusterJobs_RunJob' drop_after --times 1
  python -m localcloud fault add 'ec2:DescribeSubnets' delay --seconds 2
  python -m localcloud fault clear
  python -m localcloud fault aws                       lists the fault commands of a part
  python -m localcloud fault aws zone-down --availability-zone us-east-1a
  python -m localcloud fault aws glue-timing --run-seconds 30 --list-lag-seconds 5
  python -m localcloud fault flink kill-jobmanager --restart-after-seconds null

Arguments of a part's command are text where it takes text, JSON otherwise; null is none.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code: 0 good, 1 failed, 2 wrong usage, 3 not running."""
    options, rest = _parser().parse_known_args(arguments)
    if rest and options.run is not commands.fault:
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    try:
        code: int = options.run(options)
    except CloudNotRunning as error:
        print(error, file=sys.stderr)
        return 3
    except (CloudRefused, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud",
        description="Real Flink, Azure and AWS on loopback, without containers.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=commands.usage, usage=parser.format_help)
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--state-dir",
        type=Path,
        default=DEFAULT_STATE_DIR,
        metavar="DIR",
        help="the directory of this cloud (default: %(default)s); one cloud per directory",
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_up(verbs, place)
    _add_looks(verbs, place)
    _add_fault(verbs, place)
    down = verbs.add_parser("down", parents=[place], help="stop the cloud and wait for its end")
    down.set_defaults(run=commands.down)
    operations = verbs.add_parser(
        "operations", help="write docs/contributing/local-cloud-operations.md"
    )
    operations.add_argument(
        "--check", action="store_true", help="only check whether the page is up to date"
    )
    operations.set_defaults(run=commands.operations)
    return parser


def _add_up(verbs: argparse._SubParsersAction, place: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    up = verbs.add_parser("up", parents=[place], help="start the cloud")
    up.add_argument(
        "--detach", action="store_true", help="return when it is ready and leave it running"
    )
    up.add_argument(
        "--flink-slots",
        type=int,
        default=4,
        metavar="N",
        help="parallel tasks of the Flink cluster (default: %(default)s)",
    )
    up.add_argument(
        "--port",
        action="append",
        default=[],
        metavar="PART=PORT",
        help=f"a port for a part ({', '.join(PART_NAMES)}, control); free ones by default",
    )
    up.add_argument(
        "--only",
        default=",".join(PART_NAMES),
        metavar="PARTS",
        help="comma-separated parts to run, with the parts that they need (default: all)",
    )
    up.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of faults with a share (default: 0)"
    )
    for name, text in (
        ("run", "least time that a Glue run is RUNNING"),
        ("start-delay", "time from StartJobRun to the allocation of addresses"),
        ("release-lag", "time from the end of a Glue run to the return of its addresses"),
        ("list-lag", "time from StartJobRun to the moment when GetJobRuns shows the run"),
    ):
        up.add_argument(f"--glue-{name}-seconds", type=float, metavar="S", help=text)
    up.set_defaults(run=commands.up)


def _add_looks(verbs: argparse._SubParsersAction, place: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    status = verbs.add_parser("status", parents=[place], help="show parts, addresses, accounts")
    status.add_argument("--json", action="store_true", help="everything, with local secrets")
    status.set_defaults(run=commands.status)
    dashboard = verbs.add_parser(
        "dashboard", parents=[place], help="show a link that opens Flink's dashboard, once"
    )
    dashboard.set_defaults(run=commands.dashboard)
    secret = verbs.add_parser("secret", parents=[place], help="print one secret of the accounts")
    secret.add_argument("name", metavar="NAME", help="for example flink_token, secret_access_key")
    secret.set_defaults(run=commands.secret)
    logs = verbs.add_parser("logs", parents=[place], help="show the log of a part")
    logs.add_argument("part", nargs="?", metavar="PART", help="default: the supervisor's own log")
    logs.add_argument("-f", "--follow", action="store_true", help="follow until Ctrl-C")
    logs.add_argument("-n", "--lines", type=int, default=50, help="last lines (default: 50)")
    logs.set_defaults(run=commands.logs)
    requests = verbs.add_parser("requests", parents=[place], help="show the recorded requests")
    requests.add_argument("--service", default="*", help="pattern, for example glue")
    requests.add_argument("--operation", default="*", help="pattern, for example 'Get*'")
    requests.add_argument("--since", type=float, default=0.0, help="seconds since the epoch")
    requests.add_argument("--json", action="store_true", help="one JSON array")
    requests.set_defaults(run=commands.requests)


def _add_fault(verbs: argparse._SubParsersAction, place: argparse.ArgumentParser) -> None:  # type: ignore[type-arg]
    fault = verbs.add_parser(
        "fault",
        parents=[place],
        help="make something go wrong",
        description="The fault book (list, add, clear) and the parts' own fault commands.",
        epilog=_FAULT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    fault.add_argument("what", metavar="list|add|clear|PART", help="see the examples")
    fault.add_argument("words", nargs="*", metavar="WORD", help="PATTERN KIND, ID or COMMAND")
    book = fault.add_argument_group("options of add")
    book.add_argument("--times", type=int, help="how many requests it hits (default: until clear)")
    book.add_argument("--share", type=float, help="share of requests that it hits, 0 to 1")
    book.add_argument("--seconds", type=float, help="length of a delay")
    book.add_argument("--status", type=int, help="HTTP status of the answer")
    book.add_argument("--message", help=f"message of the answer; kinds: {', '.join(FAULT_KINDS)}")
    fault.set_defaults(run=commands.fault)


if __name__ == "__main__":
    # Started in the background of a script, a process is deaf to Ctrl-C; a cloud must not be.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BrokenPipeError:  # its reader has left, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    sys.exit(code)

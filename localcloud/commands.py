"""What the commands of the local cloud's command line do."""

from __future__ import annotations

import argparse
import json
import logging
import re
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from localcloud.assembly import PART_NAMES
from localcloud.client import CloudNotRunning, LocalCloud
from localcloud.config import CloudConfig, GlueTiming
from localcloud.part import PartFailed
from localcloud.processes import tail
from localcloud.state import AlreadyRunning, StateDir

_BOOK_OPTIONS = ("times", "share", "seconds", "status", "message")
_WITH_PORTS = (*PART_NAMES, "control")
_MOST_PORT = 65535
_SECRET_WORDS = ("secret", "key", "connection_string", "token")


def usage(options: argparse.Namespace) -> int:
    """Tell how the command line is used, when no command was given."""
    print(options.usage(), file=sys.stderr)
    return 2


def up(options: argparse.Namespace) -> int:
    """Start a cloud, in the foreground or detached."""
    if options.detach:
        with_options = [f"--seed={options.seed}", *_glue_options(options)]
        cloud = LocalCloud.up(
            options.state_dir,
            only=options.only.split(","),
            flink_slots=options.flink_slots,
            ports=_ports(options.port),
            outlives=True,
            options=with_options,
        )
        _print_status(cloud.status())
        return 0
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    from localcloud.supervision.supervisor import Cloud

    config = CloudConfig(
        state_dir=options.state_dir,
        ports=_ports(options.port),
        flink_task_slots=options.flink_slots,
        glue_timing=_glue_timing(options),
        seed=options.seed,
    )
    try:
        _log_to(StateDir(config.state_dir))
        cloud = Cloud(config, options.only.split(","))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: cloud.ask_to_stop())
        cloud.run()
    except (AlreadyRunning, PartFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _ports(settings: list[str]) -> dict[str, int]:
    ports = {}
    for setting in settings:
        part, _, port = setting.partition("=")
        is_port = re.fullmatch("[0-9]{1,5}", port) is not None and int(port) <= _MOST_PORT
        if part not in _WITH_PORTS or not is_port:
            parts = ", ".join(_WITH_PORTS)
            allowed = f"PART=PORT with a part of {parts} and a port of 0 (any) to {_MOST_PORT}"
            raise ValueError(f"--port: {setting!r} is not accepted. Allowed: {allowed}")
        ports[part] = int(port)
    return ports


def _glue_timing(options: argparse.Namespace) -> GlueTiming:
    given = {name: getattr(options, f"glue_{name}") for name in vars(GlueTiming())}
    return GlueTiming(**{name: value for name, value in given.items() if value is not None})


def _glue_options(options: argparse.Namespace) -> list[str]:
    timing = vars(_glue_timing(options)).items()
    return [f"--glue-{name.replace('_', '-')}={seconds}" for name, seconds in timing]


def _log_to(state: StateDir) -> None:
    """Its own progress on the terminal and in a file; warnings of the libraries as well."""
    state.make()
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=[
            logging.StreamHandler(sys.stdout),
            logging.FileHandler(state.log_file, encoding="utf-8"),
        ],
    )
    logging.getLogger("localcloud").setLevel(logging.INFO)


def down(options: argparse.Namespace) -> int:
    """Stop a cloud."""
    LocalCloud(options.state_dir).down()
    return 0


def status(options: argparse.Namespace) -> int:
    """Show a cloud; 1 while it is not ready."""
    seen = LocalCloud(options.state_dir).status()
    if options.json:
        print(json.dumps(seen, indent=2))
    else:
        _print_status(seen)
    return 0 if seen["ready"] else 1


def _print_status(seen: dict[str, Any]) -> None:
    print(f"{'ready' if seen['ready'] else 'not ready'}, process {seen['pid']}")
    for name, part in seen["parts"].items():
        state = "ready" if part["ready"] else "not ready"
        print(f"  {name:9} {state:10} {part['url'] or ''}")
    for provider in ("azure", "aws"):
        if seen[provider]:
            print(provider)
            for name, value in _without_secrets(seen[provider]):
                print(f"  {name:22} {value}")
    print(f"state directory {seen['state_dir']}; with secrets: status --json")


def dashboard(options: argparse.Namespace) -> int:
    """Show a link that opens Flink's dashboard in one browser, once."""
    print(LocalCloud(options.state_dir).dashboard_link())
    return 0


def secret(options: argparse.Namespace) -> int:
    """Print one value of the accounts, for a variable of a shell."""
    seen = LocalCloud(options.state_dir).status()
    found = {
        name: value
        for provider in ("azure", "aws")
        for name, value in _flat(seen[provider])
        if _is_secret(name)
    }
    if options.name not in found:
        raise ValueError(
            f"name: {options.name!r} is not accepted. Allowed: {', '.join(found) or 'none'}"
        )
    print(found[options.name])
    return 0


def _without_secrets(account: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in _flat(account) if not _is_secret(name))


def _flat(account: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in account.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _is_secret(name: str) -> bool:
    return name.endswith(_SECRET_WORDS)


def logs(options: argparse.Namespace) -> int:
    """Show the log files of a part."""
    files = _log_files(options)
    if not any(file.exists() for file in files):
        raise CloudNotRunning(f"no local cloud has run in {StateDir(options.state_dir).path}")
    for file in files:
        if len(files) > 1:
            print(f"==> {file} <==")
        print(tail(file, options.lines))
    if options.follow:
        _follow(files)
    return 0


def _log_files(options: argparse.Namespace) -> list[Path]:
    """Found in the state directory: logs matter most when the cloud does not run any more."""
    state = StateDir(options.state_dir)
    if options.part is None:
        return [state.log_file]
    if options.part not in PART_NAMES:
        allowed = ", ".join(PART_NAMES)
        raise ValueError(f"part: {options.part!r} is not accepted. Allowed: {allowed}")
    return state.log_files(options.part) or [state.log_file]


def _follow(files: list[Path]) -> None:
    read_up_to = {file: file.stat().st_size for file in files if file.exists()}
    try:
        while True:
            for file, position in read_up_to.items():
                with file.open(errors="replace") as log:
                    log.seek(position)
                    print(log.read(), end="", flush=True)
                    read_up_to[file] = log.tell()
            time.sleep(0.3)
    except KeyboardInterrupt:
        return


def requests(options: argparse.Namespace) -> int:
    """Show recorded requests."""
    found = LocalCloud(options.state_dir).requests(
        options.service, options.operation, options.since
    )
    if options.json:
        print(json.dumps([asdict(request) for request in found], indent=2))
        return 0
    for request in found:
        at = datetime.fromtimestamp(request.at).strftime("%H:%M:%S.%f")[:-3]
        name = f"{request.service}:{request.operation}"
        detail = json.dumps(request.detail) if request.detail else ""
        print(f"{at} {request.status:3} {request.seconds:8.3f} s  {name:40} {detail}".rstrip())
    return 0


def fault(options: argparse.Namespace) -> int:
    """Work on the fault book, or run a part's fault command."""
    cloud = LocalCloud(options.state_dir)
    if options.what in ("list", "add", "clear"):
        if options.rest:
            raise ValueError(f"unrecognized arguments: {' '.join(options.rest)}")
        return _fault_book(cloud, options)
    if not options.words:
        page = cloud.status()["parts"]
        known = page.get(options.what, {}).get("fault_commands")
        if known is None:
            raise ValueError(
                f"{options.what!r} is not accepted. Allowed: list, add, clear, {', '.join(page)}"
            )
        print("\n".join(known) or "no fault commands")
        return 0
    answer = cloud.fault(options.what, options.words[0], **_command_arguments(options))
    if answer is not None:
        print(json.dumps(answer, indent=2))
    return 0


def _fault_book(cloud: LocalCloud, options: argparse.Namespace) -> int:
    if options.what == "list":
        for each in cloud.faults():
            print(json.dumps(asdict(each)))
    elif options.what == "clear":
        cloud.clear_faults(options.words[0] if options.words else None)
    elif len(options.words) != 2:
        raise ValueError("fault add needs PATTERN and KIND, for example: 'glue:Get*' throttle")
    else:
        given = {name: getattr(options, name) for name in _BOOK_OPTIONS}
        chosen = {name: value for name, value in given.items() if value is not None}
        print(cloud.add_fault(*options.words, **chosen).id)
    return 0


def _command_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """``--subnet-id x --leave 1`` and ``--leave=1`` as texts by name."""
    arguments = {
        name: value for name in _BOOK_OPTIONS if (value := getattr(options, name)) is not None
    }
    words = [word for each in options.rest for word in _split_option(each)]
    words += options.words[1:]
    if len(words) % 2:
        raise ValueError("arguments of a fault command come as --name value")
    for name, value in zip(words[::2], words[1::2], strict=True):
        if not name.startswith("--"):
            raise ValueError(f"{name!r} is not accepted. Allowed: --name value")
        arguments[name.removeprefix("--").replace("-", "_")] = value
    return arguments


def _split_option(word: str) -> list[str]:
    return word.split("=", 1) if word.startswith("--") else [word]


def operations(options: argparse.Namespace) -> int:
    """Write or check the generated page."""
    from localcloud.catalogue import PAGE, render

    page = render()
    if not options.check:
        PAGE.write_text(page)
        print(PAGE)
        return 0
    if PAGE.exists() and PAGE.read_text() == page:
        return 0
    print(f"{PAGE} is out of date. Write it again: python -m localcloud operations")
    return 1

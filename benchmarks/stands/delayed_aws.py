"""Glue and EC2 answering after a fixed delay, in a process of their own: a network one can set.

    python -m benchmarks.stands.delayed_aws CONNECTIONS DELAY_SECONDS      prints the port

Only the four operations that reading connections takes, over plain HTTP/1.1 with kept connections.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

Answer = tuple[str, bytes]
REPOSITORY = Path(__file__).resolve().parents[2]


def connection(number: int) -> dict[str, Any]:
    return {
        "Name": f"connection-{number:03}",
        "ConnectionType": "NETWORK",
        "PhysicalConnectionRequirements": {
            "SubnetId": f"subnet-{number:017x}",
            "SecurityGroupIdList": ["sg-0a1b2c3d"],
            "AvailabilityZone": f"us-east-1{'abc'[number % 3]}",
        },
    }


def subnet(subnet_id: str) -> str:
    zone = "abc"[int(subnet_id.removeprefix("subnet-"), 16) % 3]
    return (
        f"<item><subnetId>{subnet_id}</subnetId><state>available</state><vpcId>vpc-1</vpcId>"
        f"<cidrBlock>10.0.0.0/24</cidrBlock><availabilityZone>us-east-1{zone}</availabilityZone>"
        "<availableIpAddressCount>251</availableIpAddressCount></item>"
    )


def answer_about(connections: int, target: str, body: str) -> Answer:
    """What the services say to one request; EC2's have no target."""
    if not target:
        ids = [
            value
            for key, values in sorted(parse_qs(body).items())
            if key.startswith(("Filter.1.Value", "SubnetId"))
            for value in values
        ]
        items = "".join(map(subnet, ids))
        namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"
        text = (
            f'<DescribeSubnetsResponse xmlns="{namespace}"><requestId>r</requestId>'
            f"<subnetSet>{items}</subnetSet></DescribeSubnetsResponse>"
        )
        return "text/xml", text.encode()
    operations: dict[str, Callable[[Any], Any]] = {
        "GetJob": lambda given: {"Job": {"Name": given["JobName"], "NumberOfWorkers": 2}},
        "GetConnection": lambda given: {"Connection": connection(int(given["Name"][-3:]))},
        "GetConnections": lambda given: {
            "ConnectionList": [connection(n) for n in range(connections)]
        },
    }
    answered = operations[target.removeprefix("AWSGlue.")](json.loads(body))
    return "application/x-amz-json-1.1", json.dumps(answered).encode()


async def serve(answer: Callable[[str, str], Answer], delay_seconds: float) -> None:
    """Answer each request by its target and body, and print the port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {
                    name.lower(): value
                    for name, _, value in (line.partition(": ") for line in head[1:])
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await asyncio.sleep(delay_seconds)
                kind, content = answer(headers.get("x-amz-target", ""), body.decode())
                writer.write(
                    f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(content)}\r\n\r\n".encode()
                    + content
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=500)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


@contextmanager
def server_process(module: str, *arguments: object) -> Iterator[str]:
    """The address of a server in a separate process, whose work is not measured.

    Args:
        module: Prints the port on loopback at which it listens.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.communicate()


if __name__ == "__main__":
    asyncio.run(serve(partial(answer_about, int(sys.argv[1])), float(sys.argv[2])))

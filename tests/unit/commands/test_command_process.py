"""A command as a process: readers that leave, Ctrl-C, SIGTERM, encodings with few characters."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.site.commands import MODULES

ROOT = Path(__file__).parents[3]
HEAD = "import sys, time\nfrom infra.command_process import run_command\n"


def command(main: str, **options: str) -> subprocess.Popen[bytes]:
    """A process that runs `main`, the body of a function, as a command."""
    body = "\n".join(f"    {line}" for line in main.splitlines())
    program = f"{HEAD}def main():\n{body}\nrun_command(main)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**environment, **options},
    )


def test_a_reader_that_leaves_ends_no_action(tmp_path: Path) -> None:
    """As `UPDATE 2>&1 | head -1`: the job that it has stopped is started again."""
    done = tmp_path / "done"
    process = command(f"""\
print("step 1", file=sys.stderr)
print("step 1", flush=True)
sys.stdin.readline()
print("step 2", file=sys.stderr)
print("x" * 1_000_000, flush=True)
open({str(done)!r}, "w").close()
return 3""")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"step 1\n"
    process.stdout.close()
    process.stderr.close()
    process.communicate(b"go on\n")
    assert process.returncode == 3
    assert done.exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_what_is_held_is_let_go_without_a_stack_trace(number: signal.Signals, code: int) -> None:
    process = command("""\
try:
    print("holds the job", flush=True)
    time.sleep(60)
finally:
    print("let go", flush=True)""")
    assert process.stdout is not None
    assert process.stdout.readline() == b"holds the job\n"
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (code, b"let go\n", b"")


def test_a_character_that_the_encoding_lacks_is_written_out() -> None:
    process = command('print("limit: 4 → 5")\nreturn 0', PYTHONIOENCODING="ascii:strict")
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, b"limit: 4 \\u2192 5\n", b"")


def test_lines_come_in_their_order_also_in_a_log(tmp_path: Path) -> None:
    """Where standard output is no terminal, Python would hold it back to the end."""
    log = tmp_path / "log"
    program = "print('one')\nprint('two', file=sys.stderr)\nprint('three')\nreturn 0"
    process = command(f"import os\nos.dup2(os.open({str(log)!r}, 65), 1)\nos.dup2(1, 2)\n{program}")
    process.communicate()
    assert log.read_text().split() == ["one", "two", "three"]


@pytest.mark.parametrize("module", [each for each in MODULES.values() if each.startswith("infra.")])
def test_every_command_of_an_account_is_such_a_process(module: str) -> None:
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    assert Path(found.origin).read_text().endswith("    run_command(main)\n")

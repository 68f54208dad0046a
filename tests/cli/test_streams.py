"""Standard streams that are closed or full."""

import errno
import os
import subprocess

import pytest
from command import command

from dsv3calc.exit_status import ExitStatus

MOVED = "goldens: [{query: kv deepseek-v3, quantity: kv_cache.bytes, expect: 1}]\n"


@pytest.fixture
def closed_pipe():
    """Return the writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("params deepseek-v3", ExitStatus.OK),
        ("compare deepseek-v3 --json", ExitStatus.OK),
        ("presets show deepseek-v3", ExitStatus.OK),
        ("", ExitStatus.OK),
        ("--help", ExitStatus.OK),
        ("params -h", ExitStatus.OK),
        ("--version", ExitStatus.OK),
        ("check moved.yaml", ExitStatus.CHECK_FAILED),
        ("check moved.yaml --json", ExitStatus.CHECK_FAILED),
        ("check moved.yaml --exit-zero", ExitStatus.OK),
        ("check nowhere.yaml", ExitStatus.INVALID_INPUT),
        ("diff deepseek-v3 deepseek-v2 --fail-over 1%", ExitStatus.CHECK_FAILED),
        ("memory deepseek-v3 --hardware h100 --tp 1 --require-fit", ExitStatus.CHECK_FAILED),
    ],
)
def test_a_closed_pipe_keeps_the_exit_code(
    process_environment, tmp_path, file, closed_pipe, line, status
):
    file("moved.yaml", MOVED)
    found = subprocess.run(
        command(*line.split()), stdout=closed_pipe, stderr=subprocess.PIPE,
        env=process_environment, cwd=tmp_path, check=False, timeout=30,
    )  # fmt: skip
    assert found.stderr == b""
    assert found.returncode == status


def test_a_closed_pipe_for_messages_leaves_the_answer_alone(
    process_environment, tmp_path, closed_pipe
):
    arguments = ["kv", "deepseek-v3", "--tokens", "128k", "--mla", "naive", "--format", "csv"]
    whole = subprocess.run(
        command(*arguments), capture_output=True, env=process_environment, cwd=tmp_path, check=True
    )
    assert whole.stderr
    for more in ([], ["-o", "x.csv"]):
        found = subprocess.run(
            command(*arguments, *more), stdout=subprocess.PIPE, stderr=closed_pipe,
            env=process_environment, cwd=tmp_path, check=False, timeout=30,
        )  # fmt: skip
        assert found.returncode == ExitStatus.OK
        assert found.stdout == (b"" if more else whole.stdout)
    assert (tmp_path / "x.csv").read_bytes() == whole.stdout


def shell(line, environment, cwd):
    words = line.replace("DSV3CALC", " ".join(command()))
    return subprocess.run(
        ["/bin/sh", "-c", words], capture_output=True, env=environment, cwd=cwd,
        check=False, timeout=30, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "rest",
    [
        "params deepseek-v3", "kv deepseek-v3 --json", "", "--version", "params -h",
        "eval missing.txt", "check moved.yaml", "presets show deepseek-v3",
    ],
)  # fmt: skip
def test_closed_stdout(process_environment, tmp_path, file, rest):
    file("moved.yaml", MOVED)
    found = shell(f"DSV3CALC {rest} >&-", process_environment, tmp_path)
    missing = rest.startswith("eval")
    assert found.returncode == (ExitStatus.INVALID_INPUT if missing else ExitStatus.CANNOT_WRITE)
    assert missing or "standard output: not writable" in found.stderr


def test_closed_stdout_with_a_file(process_environment, tmp_path):
    found = shell("DSV3CALC kv deepseek-v3 -o x.json >&-", process_environment, tmp_path)
    assert found.returncode == ExitStatus.OK
    assert (tmp_path / "x.json").stat().st_size > 1000


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize("rest", ["params nope", "params nope --json"])
def test_errors_that_nobody_can_read(process_environment, tmp_path, rest, redirection):
    found = shell(f"DSV3CALC {rest} {redirection}", process_environment, tmp_path)
    assert found.returncode == ExitStatus.USAGE
    assert found.stdout == ""


def test_closed_stderr_leaves_stdout_alone(process_environment, tmp_path):
    line = "DSV3CALC kv deepseek-v3 --tokens 128k --mla naive --format csv"
    whole = shell(line, process_environment, tmp_path)
    closed = shell(f"{line} 2>&-", process_environment, tmp_path)
    assert whole.stderr
    assert closed.stdout == whole.stdout
    assert closed.returncode == ExitStatus.OK


def test_closed_stdin(process_environment, tmp_path):
    found = shell("DSV3CALC params - --json <&-", process_environment, tmp_path)
    assert found.returncode == ExitStatus.INVALID_INPUT
    assert found.stdout == ""
    assert "Traceback" not in found.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    "rest", ["params deepseek-v3", "params deepseek-v3 --json", "check moved.yaml", "", "kv --help"]
)
def test_full_stdout(process_environment, tmp_path, file, rest):
    file("moved.yaml", MOVED)
    found = shell(f"DSV3CALC {rest} >/dev/full", process_environment, tmp_path)
    assert found.returncode == ExitStatus.CANNOT_WRITE
    assert os.strerror(errno.ENOSPC) in found.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("where", [">x.json", "-o x.json"])
def test_a_disk_that_fills_up_on_the_way(process_environment, tmp_path, where, unbuffered):
    environment = process_environment | {"PYTHONUNBUFFERED": unbuffered}
    line = f"ulimit -f 1; DSV3CALC kv deepseek-v3 --json {where}"
    found = shell(line, environment, tmp_path)
    assert found.returncode == ExitStatus.CANNOT_WRITE
    assert os.strerror(errno.EFBIG) in found.stderr
    assert (tmp_path / "x.json").exists() == (where[0] == ">")  # a file is whole or not there

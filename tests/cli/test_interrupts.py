"""Ctrl-C ends the program with 130 and a Python call with KeyboardInterrupt, wherever it falls."""

import os
import signal
import subprocess
import sys

import pytest

import dsv3calc
from dsv3calc import api, cli
from dsv3calc.__main__ import run
from dsv3calc.exit_status import ExitStatus
from dsv3calc.reading.text import LARGEST
from dsv3calc.studies import kv

MOVED = """\
goldens:
  - query: params deepseek-v3
    quantity: parameters.total
    expect: 1
  - query: kv deepseek-v3
    quantity: kv_cache.bytes_per_token
    expect: 1
"""


@pytest.fixture
def press():
    """Return Ctrl-C: the signal, under Python's own handler."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=["while the query is parsed", "while it is answered"])
def interrupted(request, monkeypatch, press):
    """Interrupt the query about the KV cache, and no other."""
    api.parse_query.cache_clear()
    load = cli.load_command

    def loading(group, name):
        if name == "kv":
            press()
        return load(group, name)

    if "parsed" in request.param:
        monkeypatch.setattr(cli, "load_command", loading)
    else:
        monkeypatch.setattr(kv, "answer_kv", lambda _query: press())


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize(
    "arguments",
    [
        ["kv", "deepseek-v3"],
        ["check", "numbers.yaml"],
        ["check", "numbers.yaml", "--update"],
        ["eval", "queries.txt"],
        ["snapshot", "params deepseek-v3", "kv deepseek-v3"],
        ["reproduce", "isca25"],
        ["formula", "eval", "stored_bytes", "bits=8", "elements=kv_cache.bytes of kv deepseek-v3"],
        ["formula", "derive", "kv_cache.bytes", "deepseek-v3", "--free", "tokens"],
        ["formula", "solve", "kv_cache.bytes <= 1GB", "deepseek-v3", "--for", "tokens"],
        ["formula", "sensitivity", "kv_cache.bytes", "deepseek-v3"],
    ],
    ids=" ".join,
)
def test_an_interrupt_ends_every_command(tmp_path, capsys, arguments):
    (tmp_path / "numbers.yaml").write_text(MOVED)
    (tmp_path / "queries.txt").write_text("params deepseek-v3\nkv deepseek-v3\n")
    assert run(arguments) == ExitStatus.INTERRUPTED
    found = capsys.readouterr()
    # answers that were written before the interrupt are whole
    answered = "eval" in arguments[:1] and found.out.startswith("# params deepseek-v3\n")
    assert (found.out if not answered else "", found.err) == ("", "")
    assert "# kv" not in found.out
    assert (tmp_path / "numbers.yaml").read_text() == MOVED
    assert sorted(os.listdir(tmp_path)) == ["numbers.yaml", "queries.txt"]


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize("ask", [dsv3calc.query, dsv3calc.answer])
def test_an_interrupt_leaves_python_as_itself(ask):
    ask("params deepseek-v3")
    with pytest.raises(KeyboardInterrupt):
        ask("kv deepseek-v3")


def test_an_update_that_is_interrupted_while_writing(tmp_path, monkeypatch, press):
    (tmp_path / "numbers.yaml").write_text(MOVED)
    monkeypatch.setattr(os, "replace", lambda *_: press())
    assert run(["check", "numbers.yaml", "--update"]) == ExitStatus.INTERRUPTED
    assert (tmp_path / "numbers.yaml").read_text() == MOVED
    assert os.listdir(tmp_path) == ["numbers.yaml"]


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (signal.SIG_DFL, ExitStatus.INTERRUPTED),
        # started in the background of a shell: Ctrl-C is for the foreground
        (signal.SIG_IGN, ExitStatus.INVALID_INPUT),
    ],
    ids=["listening", "started with the signal ignored"],
)
def test_an_interrupted_process(process_environment, tmp_path, handler, status):
    before = signal.signal(signal.SIGINT, handler)  # which the child inherits
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "dsv3calc", "params", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=process_environment, cwd=tmp_path, pipesize=4096,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        # more than the pipe holds, and not all that may come: when this is through, the process
        # is reading, and waits for the rest
        process.stdin.write(b"#" * (LARGEST // 2))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == status
    assert out == b""
    assert b"Traceback" not in err

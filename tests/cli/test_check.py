"""``dsv3calc check`` as a pipeline meets it: what it prints, and the exit status it ends with."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dsv3calc.__main__ import run
from dsv3calc.catalogue import presets
from dsv3calc.catalogue.search_path import packaged_presets
from dsv3calc.exit_status import ExitStatus

KEPT = "goldens: [{query: kv deepseek-v3, quantity: kv_cache.bytes_per_token, expect: 70272}]\n"
MOVED = "goldens: [{query: kv deepseek-v3, quantity: kv_cache.bytes_per_token, expect: 70271}]\n"
BROKEN = "goldens: [{query: kv deepseek-v9, quantity: kv_cache.bytes_per_token, expect: 70272}]\n"
TYPO = MOVED.replace("70271}", "70271, tolerance: {rell: 0.1}}")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return tmp_path


@pytest.fixture
def call(capsys):
    def called(*arguments):
        status = run(["check", *arguments])
        found = capsys.readouterr()
        assert "Traceback" not in found.err
        assert "internal error" not in found.err
        return status, found.out, found.err

    return called


@pytest.mark.parametrize(
    ("files", "options", "status"),
    [
        ([KEPT], (), 0),
        ([MOVED], (), 1),
        ([BROKEN], (), 3),
        ([TYPO], (), 3),
        ([""], (), 3),
        (["goldens: []\n"], (), 3),
        # a broken row beats a moved one, wherever it stands
        ([MOVED, BROKEN], (), 3),
        ([BROKEN, MOVED], (), 3),
        ([KEPT, MOVED], (), 1),
        ([MOVED], ("--exit-zero",), 0),
        ([BROKEN], ("--exit-zero",), 3),
        ([MOVED, BROKEN], ("--exit-zero",), 3),
        ([TYPO], ("--exit-zero",), 3),
        ([""], ("--exit-zero",), 3),
        ([MOVED], ("--only", "kv_cache.*"), 1),
        ([KEPT], ("--only", "nothing.*"), 2),
        ([MOVED], ("--exit-zero", "--only", "nothing.*"), 2),
        ([KEPT], ("--format", "yaml"), 2),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",), ("--format", "csv"), ("--format", "markdown")])
def test_exit_status(folder, call, files, options, status, form):
    for number, text in enumerate(files):
        (folder / f"{number}.yaml").write_text(text)
    if "--format" in options:
        form = ()
    found, out, err = call(*sorted(os.listdir(folder)), *options, *form)
    assert found == status
    assert out or err


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown", "junit", "github", "sarif"])
def test_a_moved_number_is_told_in_every_format(folder, call, form):
    (folder / "numbers.yaml").write_text("# first\n" + MOVED)
    status, out, _ = call("numbers.yaml", "--format", form)
    assert status == ExitStatus.CHECK_FAILED
    assert "kv_cache.bytes_per_token" in out
    assert "numbers.yaml" in out
    assert "70271" in out.replace(",", "")


def test_json_has_old_new_difference_tolerance_and_place(folder, call):
    (folder / "numbers.yaml").write_text(
        MOVED.replace("70271", "70000, tolerance: {abs: 5}, source: a paper, note: ask us")
    )
    _, out, _ = call("numbers.yaml", "--json")
    found = json.loads(out)
    (row,) = found["rows"]
    assert found["query"] == {"files": ["numbers.yaml"], "checked": 1, "moved": 1, "broken": 0}
    assert (row["status"], row["file"], row["line"]) == ("moved", "numbers.yaml", 1)
    assert (row["expected"], row["value"], row["unit"]) == (70_000, 70_272, "B/token")
    assert row["difference"].startswith("+272")
    assert "± 5" in row["tolerance"]
    assert (row["source"], row["note"]) == ("a paper", "ask us")


def test_a_removed_preset(folder, call):
    (folder / "models").mkdir()
    (folder / "models" / "m.yaml").write_text("")
    (folder / "numbers.yaml").write_text(BROKEN.replace("deepseek-v9", "models/gone.yaml"))
    status, out, _ = call("numbers.yaml")
    assert status == ExitStatus.INVALID_INPUT
    assert "models/gone.yaml" in out
    assert "no such file" in out


def test_rows_that_fail_for_one_reason_are_told_once(folder, call):
    other = BROKEN[BROKEN.index("{") :].replace("bytes_per_token", "bytes")
    (folder / "a.yaml").write_text(BROKEN.replace("]\n", f", {other}"))
    for options, count in (((), 1), (("--all",), 2)):
        status, out, _ = call("a.yaml", *options)
        assert status == ExitStatus.INVALID_INPUT
        assert out.count("there is no model preset") == count
        assert (", and 1 more row" in out) == (count == 1)


def test_a_directory_without_goldens(folder, call):
    (folder / "numbers").mkdir()
    status, out, err = call("numbers")
    assert status == ExitStatus.INVALID_INPUT
    assert "no golden file is in this directory" in out + err


def test_update_writes_tells_and_still_fails(folder, call):
    path = folder / "numbers.yaml"
    path.write_text("# keep me\n" + MOVED)
    status, out, err = call("numbers.yaml", "--update")
    assert status == ExitStatus.CHECK_FAILED
    assert "1 expectation updated" in out + err
    assert path.read_text() == "# keep me\n" + KEPT
    assert call("numbers.yaml", "--update")[0] == ExitStatus.OK


def test_update_of_one_file_leaves_a_broken_one_alone(folder, call):
    (folder / "a.yaml").write_text(MOVED)
    (folder / "b.yaml").write_text(TYPO)
    assert call("a.yaml", "b.yaml", "--update")[0] == ExitStatus.INVALID_INPUT
    assert (folder / "a.yaml").read_text() == KEPT
    assert (folder / "b.yaml").read_text() == TYPO


def test_update_of_some_rows(folder, call):
    path = folder / "numbers.yaml"
    path.write_text(
        textwrap.dedent("""
        goldens:
          - {query: kv deepseek-v3, quantity: kv_cache.bytes_per_token, expect: 1}
          - {query: kv qwen2.5-72b, quantity: kv_cache.bytes_per_token, expect: 1}
        """)
    )
    assert call("numbers.yaml", "--update", "--only", "*qwen*")[0] == ExitStatus.CHECK_FAILED
    text = path.read_text()
    assert "kv_cache.bytes_per_token, expect: 1}" in text
    assert "expect: 327680}" in text


def test_immutable_goldens_refuse_an_update(folder, call):
    text = "immutable: true\n" + MOVED
    (folder / "paper.yaml").write_text(text)
    assert call("paper.yaml")[0] == ExitStatus.CHECK_FAILED
    status, out, err = call("paper.yaml", "--update")
    assert status == ExitStatus.USAGE
    assert "immutable" in out + err
    assert (folder / "paper.yaml").read_text() == text


def test_an_immutable_file_beside_another_does_not_keep_that_from_its_update(folder, call):
    (folder / "a-paper.yaml").write_text("immutable: true\n" + MOVED)
    (folder / "self.yaml").write_text(MOVED)
    assert call(".", "--update")[0] == ExitStatus.USAGE
    assert (folder / "self.yaml").read_text() == KEPT


def test_a_full_disk_is_told_in_words(folder, call, monkeypatch):
    path = folder / "numbers.yaml"
    path.write_text(MOVED)

    def fail(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    status, out, err = call("numbers.yaml", "--update")
    assert status == ExitStatus.CANNOT_WRITE
    assert "No space left on device" in out + err
    assert path.read_text() == MOVED


def test_a_file_with_tabs_is_not_updated(folder, call):
    """libyaml takes a tab after a colon, the parser that finds the places does not."""
    path = folder / "numbers.yaml"
    text = (
        "goldens:\n  - query: kv deepseek-v3\n    quantity: kv_cache.bytes_per_token\n"
        "    expect:\t70271\n"
    )
    path.write_text(text)
    assert call("numbers.yaml")[0] == ExitStatus.CHECK_FAILED
    status, out, err = call("numbers.yaml", "--update")
    assert status == ExitStatus.USAGE
    assert "numbers.yaml: line 4 cannot be rewritten in place" in out + err
    assert path.read_text() == text


@pytest.mark.parametrize("inside", ["", "below"])
def test_a_directory_that_cannot_be_read(folder, call, monkeypatch, inside):
    (folder / "numbers" / "below").mkdir(parents=True)
    (folder / "numbers" / "kept.yaml").write_text(KEPT)
    closed = os.path.join("numbers", inside).rstrip("/")
    scan = os.scandir

    def scandir(path):
        if path == closed:
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    status, out, err = call("numbers")
    assert status == ExitStatus.INVALID_INPUT
    assert out == ""
    assert f"{closed}: error: the directory cannot be read: Permission denied" in err


def test_presets_of_another_directory(folder, call):
    models = folder / "elsewhere" / "models"
    models.mkdir(parents=True)
    text = presets.load("model", "deepseek-v3").source.text
    (models / "mine.yaml").write_text(text.replace("kv_lora_rank: 512", "kv_lora_rank: 640"))
    # 61 layers of 640 + 64 values of two bytes
    rows = "goldens: [{query: kv mine, quantity: kv_cache.bytes_per_token, expect: 85888}]\n"
    (folder / "numbers.yaml").write_text(rows)
    assert call("numbers.yaml")[0] == ExitStatus.INVALID_INPUT
    assert call("numbers.yaml", "--preset-path", "elsewhere")[0] == ExitStatus.OK
    named = rows.replace("kv mine", "kv mine --preset-path nowhere")
    (folder / "numbers.yaml").write_text(named)
    status, out, _ = call("numbers.yaml", "--preset-path", "elsewhere", "--format", "csv")
    assert status == ExitStatus.INVALID_INPUT
    assert "--preset-path 'nowhere'" in out


KILLED = """
import os, signal, sys
from dsv3calc.__main__ import run
replace = os.replace
def die(*arguments):
    if sys.argv[1] == "after":
        replace(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
os.replace = die
run(["check", "numbers", "--update"])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system kills in other ways")
@pytest.mark.parametrize(("moment", "text"), [("before", MOVED), ("after", KEPT)])
def test_a_killed_update_leaves_the_old_file_or_the_new(folder, call, moment, text):
    path = folder / "numbers" / "kv.yaml"
    path.parent.mkdir()
    path.write_text(MOVED)
    done = subprocess.run([sys.executable, "-c", KILLED, moment], check=False, cwd=folder)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == text
    # what it left behind is no golden file, holds no lock, and the next update works
    status, _, _ = call("numbers", "--update")
    assert status == (ExitStatus.CHECK_FAILED if text == MOVED else ExitStatus.OK)
    assert path.read_text() == KEPT


WAITING = """
import sys
from dsv3calc.reading import files
from dsv3calc.studies.goldens import snapshot
from dsv3calc.__main__ import run
write = files.write_whole
def wait(*arguments, **more):
    print("holding", flush=True)
    sys.stdin.readline()
    write(*arguments, **more)
files.write_whole = snapshot.write_whole = wait
sys.exit(run(["check", "numbers.yaml", "--update", "-o", "/dev/null", "--force"]))
"""


def test_of_two_updates_at_once_the_second_is_refused(folder, call):
    pytest.importorskip("fcntl")
    path = folder / "numbers.yaml"
    path.write_text(MOVED)
    first = subprocess.Popen(
        [sys.executable, "-c", WAITING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    try:
        assert first.stdout.readline() == "holding\n"
        status, out, err = call("numbers.yaml", "--update")
        assert status == ExitStatus.USAGE
        assert "another update is going on" in out + err
        assert path.read_text() == MOVED
    finally:
        first.communicate("\n", timeout=60)
    assert first.returncode == ExitStatus.CHECK_FAILED
    assert path.read_text() == KEPT


def test_own_files_may_stand_in_the_working_directory(folder, call):
    (folder / "numbers").mkdir()
    assert run(["presets", "show", "mistral-7b", "-o", "m.yaml"]) == ExitStatus.OK
    (folder / "numbers" / "kv.yaml").write_text(
        "goldens: [{query: params m.yaml, quantity: parameters.total, expect: 7241732096}]"
    )
    assert call("numbers")[0] == ExitStatus.OK


def test_hostile_texts_are_shown_escaped(folder, call):
    (folder / "numbers.yaml").write_text(
        'goldens: [{query: "kv deepseek-v3 --tokens 4\\u001b[31m", quantity: "q\\u0007", '
        'expect: 1, note: "\\u001b]0;title\\u0007"}]'
    )
    for form in ("table", "markdown", "github", "junit"):
        status, out, err = call("numbers.yaml", "--format", form)
        assert status == ExitStatus.INVALID_INPUT
        assert "\x1b" not in out + err
        assert "\x07" not in out + err


OWN_MODEL = """\
goldens:
  - query: kv ./models/mistral-7b.yaml
    quantity: kv_cache.bytes_per_token
    expect: 65536
    made_from: {model.num_hidden_layers: 16}
  - query: kv MODELS/nothing.yaml
    quantity: kv_cache.bytes_per_token
    expect: 1
"""


def test_a_report_for_people_is_as_wide_as_the_terminal(folder, call, monkeypatch):
    """Paths are those from the working directory, also where they are given in full."""
    models = folder / "models"
    models.mkdir()
    shipped = Path(packaged_presets()) / "models" / "mistral-7b.yaml"
    (models / "mistral-7b.yaml").write_text(shipped.read_text("utf-8"), "utf-8")
    text = OWN_MODEL.replace("./models", str(models)).replace("MODELS", str(models))
    (folder / "numbers.yaml").write_text(text)
    monkeypatch.setattr("dsv3calc.output.table.terminal_width", lambda _: 60)
    status, out, _ = call(str(folder / "numbers.yaml"), "--color", "never")
    assert status == ExitStatus.INVALID_INPUT
    lines = out.splitlines()
    line = next(
        number
        for number, text in enumerate(shipped.read_text("utf-8").splitlines(), 1)
        if text.startswith("num_hidden_layers")
    )
    assert lines[0] == "2 rows: 0 unchanged, 1 changed, 1 error"
    assert lines[2].split() == ["changed", "expected", "now", "difference"]
    assert lines[4] == " numbers.yaml:4"
    assert "64 KiB/token   128 KiB/token   +65,536 (+100 %)" in map(str.strip, lines)
    reason = f"because model.num_hidden_layers: 16 -> 32 (models/mistral-7b.yaml:{line})"
    assert reason in " ".join(" ".join(lines).split())
    assert " numbers.yaml:8" in lines
    long = [line for line in lines if len(line) > 60]
    # a path is one word, whatever its length; those of shipped presets are not below the folder
    whole = (str(models), packaged_presets())
    assert all(any(path in line for path in whole) or set(line) == {" ", "─"} for line in long)


def test_a_hand_edited_expectation_is_one_of_the_reasons(folder, call):
    """The snapshot's inputs and formulas are those of today: the number alone was edited."""
    path = folder / "numbers.yaml"
    run(["snapshot", "kv deepseek-v3", "--quantity", "kv_cache.bytes_per_token", "-o", str(path)])
    path.write_text(path.read_text("utf-8").replace("expect: 70272", "expect: 70273"), "utf-8")
    status, out, _ = call(str(path), "--color", "never")
    assert status == ExitStatus.CHECK_FAILED
    assert (
        "because inputs and formulas are as recorded: the expected number was edited, or the "
        "calculation changed"
    ) in " ".join(out.split())

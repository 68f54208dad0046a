"""Every failure: its exit code, its words, the same in JSON, and what to try next."""

import os
import subprocess
import sys

import pytest

from dsv3calc import cli
from dsv3calc.__main__ import run
from dsv3calc.errors import Infeasible
from dsv3calc.exit_status import ExitStatus

KINDS = {
    ExitStatus.USAGE: "usage",
    ExitStatus.INVALID_INPUT: "invalid-input",
}


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (ExitStatus.USAGE, ["params"]),
        (ExitStatus.USAGE, ["params", "nope"]),
        (ExitStatus.USAGE, ["params", "deepseek-v3", "--nonsense"]),
        (ExitStatus.USAGE, ["params", "deepseek-v3", "--set", "x=1"]),
        (ExitStatus.USAGE, ["presets"]),
        (ExitStatus.USAGE, ["nonsense"]),
        (ExitStatus.INVALID_INPUT, ["params", "./nothing.yaml"]),
        (ExitStatus.USAGE, ["params", "deepseek-v3", "--set", "hidden_size=7K"]),
        (ExitStatus.INVALID_INPUT, ["eval", "nothing.txt"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_exit_code_and_the_kind(program, status, arguments):
    program.refused(status, *arguments)
    for option in (["--json"], ["--format", "json"], ["--format=json"]):
        errors = program(*arguments, *option).errors
        assert {error["kind"] for error in errors} == {KINDS[status]}


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["parms", "deepseek-v3"], "dsv3calc params"),
        (["comapre"], "dsv3calc compare"),
        (["preset", "list"], "dsv3calc presets"),
        (["presets", "validat", "x"], "dsv3calc presets validate"),
        (["params", "deepseek-v33"], "deepseek-v3"),
        (["params", "DeepSeek_V3"], "deepseek-v3"),
        (["compare", "deepseek-v3", "--hardware", "h880"], "h800"),
        (["kv", "deepseek-v3", "--kv-dtype", "fp8mla"], "fp8-mla"),
        (["params", "deepseek-v3", "--presicion", "bf16"], "--precision"),
        (["flops", "deepseek-v3", "--phase", "decoding"], "decode"),
        (["params", "deepseek-v3", "--set", "hiden_size=1"], "hidden_size"),
        (["params", "deepseek-v3", "--set", "kv_lora_rnk=1"], "kv_lora_rank"),
        (["compare", "--vary", "deepseek-v3:atention=mqa"], "attention"),
        (["params", "deepseek-v3", "--variant", "chekpoint"], "checkpoint"),
        (["which", "h100"], "give it as --hardware h100"),
        (["memory", "deepseek-v3", "h800", "--tp", "8"], "give it as --hardware h800"),
        (["snapshot", "--append"], "dsv3calc snapshot --help"),
    ],
)
def test_what_was_probably_meant(program, arguments, suggestion):
    assert suggestion in program.refused(ExitStatus.USAGE, *arguments).err


def test_a_neighbouring_file_is_suggested(program, file):
    file("model.yaml", "name: x\n")
    found = program.refused(ExitStatus.INVALID_INPUT, "params", "./modell.yaml")
    assert "did you mean: model.yaml" in found.err


def test_a_file_that_looks_like_a_name(program, file, preset_text):
    file("mine", preset_text("models", "llama-2-70b"))
    assert "./mine" in program.refused(ExitStatus.USAGE, "params", "mine").err


def test_a_name_elsewhere(program):
    found = program.refused(ExitStatus.USAGE, "params", "h800")
    assert "h800 is a hardware preset; dsv3calc presets list models" in found.err


def test_a_problem_is_shown_like_a_compilers(program, file, preset_text):
    text = preset_text("models", "llama-3.1-8b").replace("hidden_size: 4096", "hidden_size: 4K")
    path = file("mine.yaml", text)
    found = program.refused(ExitStatus.INVALID_INPUT, "params", path)
    lines = found.err.splitlines()
    place = text[: text.index("hidden_size")].count("\n") + 1
    assert lines[0].startswith(f"{path}:{place}:14: error: hidden_size is '4K'")
    assert lines[1].strip() == "hidden_size: 4K"
    assert lines[2].index("^") == lines[1].index("4K")
    (error,) = program("params", path, "--json").errors
    assert (error["line"], error["column"], error["path"]) == (place, 14, "hidden_size")


def test_all_problems_in_one_run(program, file, preset_text):
    text = preset_text("models", "deepseek-v3")
    for old, new in (
        ("hidden_size: 7168", "hiden_size: 7168"),
        ("vocab_size: 129280", "vocab_size: -5"),
        ("num_experts_per_tok: 8", "num_experts_per_tok: eight"),
        ("kv_lora_rank: 512", "kv_lora_rank: 0"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    found = program.refused(ExitStatus.INVALID_INPUT, "params", file("mine.yaml", text))
    for name in ("hiden_size", "vocab_size", "num_experts_per_tok", "kv_lora_rank"):
        assert name in found.err
    assert "did you mean: hidden_size" in found.err
    numbers = [int(line.split(":")[1]) for line in found.err.splitlines() if ": error: " in line]
    assert numbers == sorted(numbers)
    assert len(numbers) >= 4


def test_a_set_is_blamed_and_not_the_file(program):
    found = program.refused(
        ExitStatus.USAGE, "params", "deepseek-v3", "--set", "num_experts_per_tok=257"
    )
    assert "--set num_experts_per_tok=257: error: top-257 of 256 routed experts" in found.err


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        # 1,978.9 of FP8 are more than twice 362
        ("hardware.peaks.bf16=362 TFLOPS", "the FP8 peak is more than twice the BF16 peak"),
        ("hardware.memory.usable=100 GB", "more memory is usable than was sold"),
        ("hardware.memory.marketed=40 GB", "more memory is usable than was sold"),
    ],
)
def test_a_set_that_does_not_go_with_the_file_is_blamed(program, edit, words):
    asked = ("memory", "deepseek-v3", "--serve", "--tp", "8", "--hardware", "h100")
    found = program.refused(ExitStatus.USAGE, *asked, "--set", edit)
    assert f"--set {edit}: error: {words}" in found.err
    assert "h100.yaml" not in found.err


def test_a_file_that_is_wrong_by_itself_is_blamed(program, file, preset_text):
    path = file("mine.yaml", preset_text("hardware", "h100").replace("1978.9", "9978.9"))
    asked = ("memory", "deepseek-v3", "--serve", "--tp", "8", "--hardware", path)
    found = program.refused(
        ExitStatus.INVALID_INPUT, *asked, "--set", "hardware.dollars_per_hour=2"
    )
    assert "mine.yaml:11:8: error: the FP8 peak" in found.err


def test_a_wrong_value_in_a_saved_comparison_is_one_of_a_file(program, file):
    designs = "designs: [{model: deepseek-v3, set: {num_hidden_layers: -1}}, qwen2.5-72b]"
    text = f"name: mine\ntitle: mine\n{designs}\n"
    found = program.refused(ExitStatus.INVALID_INPUT, "compare", file("mine.yaml", text))
    assert "num_hidden_layers is -1, which is outside its bounds" in found.err


def test_many_problems_are_not_all_told(program, file):
    text = "".join(f"key{number}: {number}\n" for number in range(5000))
    found = program.refused(ExitStatus.INVALID_INPUT, "params", file("mine.yaml", text))
    assert found.err.count(": error: ") <= 100


def test_infeasible_and_internal_errors(monkeypatch, capsys):
    def fail_with(error):
        def parse(_arguments):
            raise error

        monkeypatch.setattr(cli, "parse", parse)

    fail_with(Infeasible("nothing fits"))
    assert run(["params"]) == ExitStatus.INFEASIBLE
    assert "nothing fits" in capsys.readouterr().err
    fail_with(ZeroDivisionError("a defect"))
    assert run(["params", "a b"]) == ExitStatus.INTERNAL_ERROR
    told = capsys.readouterr()
    assert told.out == ""
    assert "dsv3calc params 'a b'" in told.err
    assert "ZeroDivisionError: a defect" in told.err
    assert "Please report it" in told.err
    assert run(["params", "--json"]) == ExitStatus.INTERNAL_ERROR
    assert '"kind": "internal"' in capsys.readouterr().err
    fail_with(KeyboardInterrupt())
    assert run(["params"]) == ExitStatus.INTERRUPTED


def test_a_working_directory_that_is_gone(process_environment, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = (
        "import os, sys; os.rmdir(os.getcwd()); "
        "from dsv3calc.__main__ import run; sys.exit(run(sys.argv[1:]))"
    )
    for arguments, status in (
        (["params", "deepseek-v3", "--json"], ExitStatus.OK),
        (["params", "nope"], ExitStatus.USAGE),
        (["params", "./x.yaml"], ExitStatus.INVALID_INPUT),
        (["kv", "deepseek-v3", "-o", "x.json"], ExitStatus.CANNOT_WRITE),
    ):
        gone.mkdir(exist_ok=True)
        found = subprocess.run(
            [sys.executable, "-c", script, *arguments], env=process_environment, cwd=gone,
            capture_output=True, check=False, timeout=30, text=True,
        )  # fmt: skip
        assert found.returncode == status, found.stderr


ARGUMENT_TRICKS = [
    "\x1b[31m",
    "a\nb",
    "\udcff",
    "é中",
    "\u202e",
    "a" * 100_000,
    "%s%n{0}",
    "$(id)",
    "\t",
]


@pytest.mark.parametrize("trick", ARGUMENT_TRICKS, ids=range(len(ARGUMENT_TRICKS)))
@pytest.mark.parametrize(
    "before",
    [
        [], ["params"], ["presets"], ["presets", "show"], ["presets", "list"], ["eval"], ["import"],
        ["presets", "validate"], ["compare", "deepseek-v3"], ["presets", "diff", "h800"],
        *(
            ["compare", "deepseek-v3", option]
            for option in (
                "--hardware", "--baseline", "--vary", "--set", "--rows", "--precision",
                "--kv-dtype", "--batch", "--context", "--mla", "--color", "--format",
            )
        ),
        *(["params", "deepseek-v3", option] for option in ("--by", "--variant", "--include")),
        ["params", "deepseek-v3", "--as"],
        *(["flops", "deepseek-v3", option] for option in ("--phase", "--head", "--convention")),
    ],
    ids=" ".join,
)  # fmt: skip
def test_hostile_words_are_shown_escaped_and_short(program, before, trick):
    found = program(*before, trick)
    assert found.status in (ExitStatus.USAGE, ExitStatus.INVALID_INPUT)
    program.refused(found.status, *before, trick)
    assert len(found.err) < 10_000


@pytest.mark.parametrize("value", ["\x1b[31m", "x" * 100_000, ":::", "/dev/null", "/etc/passwd"])
@pytest.mark.parametrize("name", ["DSV3CALC_PATH", "XDG_CONFIG_HOME", "HOME"])
def test_hostile_environments(program, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    program.json("params", "deepseek-v3")
    program.refused(ExitStatus.USAGE, "params", "nope")
    program.ok("presets", "list", "models", "--names")


def test_a_missing_directory_that_was_named_is_told(program, monkeypatch):
    monkeypatch.setenv("DSV3CALC_PATH", "./nowhere")
    assert "nowhere" in program.refused(ExitStatus.USAGE, "params", "nope").err
    found = program.refused(ExitStatus.USAGE, "params", "nope", "--preset-path", "elsewhere")
    assert "elsewhere" in found.err


def test_preset_names_lead_nowhere_else(program, file, preset_text, tmp_path, monkeypatch):
    file("secret.yaml", preset_text("models", "llama-2-70b"))
    (tmp_path / "presets" / "models").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "presets")
    for name in ("..secret", "..", ".", "", " ", "CON", "NUL", "-"):
        found = program("params", "--", name, stdin="")
        assert found.status in (ExitStatus.USAGE, ExitStatus.INVALID_INPUT)


def test_exit_codes_are_those_of_the_system():
    assert [int(status) for status in ExitStatus] == [0, 1, 2, 3, 4, 70, 74, 130]
    assert os.EX_SOFTWARE == ExitStatus.INTERNAL_ERROR
    assert os.EX_IOERR == ExitStatus.CANNOT_WRITE


def test_one_problem_is_not_counted_and_several_are(program):
    one = program.refused(ExitStatus.USAGE, "params", "deepseek-v3", "--set", "hidden_size=x")
    assert "found" not in one.err
    both = ("--set", "hidden_size=x", "--set", "vocab_size=x")
    assert program.refused(ExitStatus.USAGE, "params", "deepseek-v3", *both).err.endswith(
        "2 problems found\n"
    )


@pytest.mark.parametrize(
    ("environment", "options", "colored"),
    [
        ({}, [], False),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        ({"FORCE_COLOR": "1"}, ["--color", "never"], False),
        ({}, ["--color=always"], True),
    ],
)
def test_the_word_error_has_a_colour(program, monkeypatch, environment, options, colored):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for line in (("params", "nope"), ("params", "deepseek-v3", "--set", "hidden_size=x")):
        err = program(*line, *options).err
        assert ("\x1b[1;31merror:\x1b[0m" in err) == colored
        assert "error:" in err

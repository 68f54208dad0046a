"""Set-ups: one kind for software, under its own name and under those of 0.1.0."""

import pytest

import dsv3calc
from dsv3calc.catalogue import presets

TRAIN = "memory deepseek-v3 --layout v3-pretrain --hardware h800"
SERVE = "memory deepseek-v3 --serve --hardware h800 --ep 32 --dp 32"


def values(query):
    (column,) = dsv3calc.answer(query).columns
    return column.ledger.values


@pytest.mark.parametrize("query", [TRAIN, SERVE])
def test_the_default_is_pytorch_under_all_its_names(query):
    assert (
        values(query) == values(f"{query} --setup pytorch") == values(f"{query} --runtime pytorch")
    )


@pytest.mark.parametrize("query", [TRAIN, SERVE])
def test_a_field_is_set_under_its_name_and_its_former_one(query):
    by_name = values(f"{query} --set setup.memory.driver_context=0")
    assert by_name == values(f"{query} --set runtime.driver_context=0")
    place = "memory.buffers" if query == TRAIN else "serving"
    assert by_name[f"{place}.driver_context"] == 0
    name = "memory.worst.total" if query == TRAIN else "serving.total"
    assert values(query)[name] - by_name[name] == 512 * 2**20


def test_keywords_and_keys_of_golden_files_take_both_names():
    given = {"layout": "v3-pretrain", "hardware": "h800"}
    new = dsv3calc.memory("deepseek-v3", setup="pytorch", **given)
    old = dsv3calc.memory("deepseek-v3", runtime="pytorch", **given)
    assert new.values == old.values


def test_overheads_may_be_nothing():
    nothing = " ".join(
        f"--set setup.memory.{name}=0" for name in ("driver_context", "workspace", "communication")
    )
    found = values(f"{SERVE} {nothing}")
    assert found["serving.driver_context"] == found["serving.communication"] == 0


@pytest.mark.parametrize("name", ["setup.memory.driver_context", "runtime.driver_context"])
def test_an_input_of_a_line_answers_to_both_names(program, name):
    words = ["formula", "derive", "memory.worst.driver_context", *TRAIN.split(), "--free", name]
    program.refused(2, *words)  # not a line, so that the next is known to be looked up
    found = program.ok("formula", "derive", "memory.buffers.driver_context", *words[3:])
    assert "setup.memory.driver_context" in found.out


@pytest.mark.parametrize("word", ["setup", "setups", "runtime", "runtimes"])
def test_the_kind_is_listed_under_both_names(program, word):
    assert "PyTorch on an NVIDIA GPU" in program.ok("presets", "list", word).out


def test_a_runtime_file_of_the_first_release_is_refused_with_what_to_do(program, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\ntitle: Mine\ndriver_context: 512 MiB\nworkspace: 32 MiB\n"
        "communication: 1 GiB\nbucket: 1\nmemory_fraction: 0.9\npage_size: 64\n"
        "sources: {own: {kind: measured, citation: own}}\nprovenance: {default: own}\n"
    )
    for words in (("presets", "validate", str(file)), (*TRAIN.split(), "--setup", str(file))):
        found = program(*words)
        assert found.status == 3
        assert f"{file}:3:1" in found.err
        assert "memory:" in found.err


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("loss: chunked", "error: loss chunked needs"),
        ("loss_chunk: 8", "error: loss fp32-logits h"),
        ("prefill: [{device_memory: 70 GiB, tokens: 8192}]", "from 0 on"),
        ("pool: all", "device"),
    ],
)
def test_what_contradicts_itself_is_refused(program, tmp_path, lines, words):
    text = presets.load("setup", "pytorch").source.text.replace(
        "memory:\n", f"memory:\n  {lines}\n"
    )
    file = tmp_path / "pytorch.yaml"
    file.write_text(text)
    found = program("presets", "validate", str(file))
    assert found.status == 3
    assert words in found.err


# --- the default of etp


def etp(program, *words):
    found = program.json(*words)
    return [text for text in found.data["assumptions"] if text.startswith("etp is")], found


SERVED = ("memory", "mixtral-8x7b", "--serve", "--hardware", "h100", "--tp", "8")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((*SERVED,), 8),
        ((*SERVED, "--ep", "4"), 2),
        ((*SERVED, "--ep", "4", "--setup", "trtllm"), 2),
        ((*SERVED, "--ep", "4", "--setup", "sglang"), 2),
        ((*SERVED, "--ep", "2", "--setup", "sglang", "--set", "setup.experts.moe_dp=2"), 2),
        ((*SERVED, "--setup", "vllm"), 8),
        ((*SERVED, "--ep", "8", "--setup", "vllm"), 1),
        ((*SERVED, "--dp", "2", "--ep", "16", "--setup", "vllm", "--tp", "4"), None),
        (("memory", "mixtral-8x7b", "--hardware", "h100", "--tp", "2", "--ep", "8"), 1),
        (
            ("memory", "mixtral-8x7b", "--hardware", "h100", "--tp", "2", "--ep", "8",
             "--setup", "megatron-moe-hgx"),
            2,
        ),
        (
            ("traffic", "mixtral-8x7b", "--hardware", "h100", "--tp", "2", "--ep", "8",
             "--setup", "megatron-moe-hgx"),
            2,
        ),
        (
            ("memory", "mixtral-8x7b", "--hardware", "h100", "--tp", "2", "--zero", "1",
             "--fewest-gpus", "--setup", "megatron-moe-hgx"),
            2,
        ),
    ],
)  # fmt: skip
def test_etp_follows_the_rule_of_the_setup(program, words, expected):
    if expected is None:
        program.refused(2, *words)
        return
    (said,), _ = etp(program, *words)
    assert said.startswith(f"etp is {expected}, as --etp is not given")
    if "--setup" in words:
        rule = {"megatron-moe-hgx": "Megatron", "vllm": "vLLM", "sglang": "SGLang",
                "trtllm": "TensorRT"}[words[words.index("--setup") + 1]]  # fmt: skip
        assert rule in said


def test_vllm_has_no_other_ep_than_all_gpus(program):
    refused = program.refused(2, *SERVED, "--ep", "4", "--setup", "vllm")
    assert "ep 4 is neither 1 nor tp x dp = 8" in refused.err
    assert "--ep 1 or 8" in refused.err


def test_megatron_counts_as_many_gpus_as_experts_need(program):
    words = ("memory", "mixtral-8x7b", "--hardware", "h100", "--tp", "2", "--ep", "8")
    _, found = etp(program, *words, "--setup", "megatron-moe-hgx")
    assert any(text.startswith("dp is 8:") for text in found.data["assumptions"])
    stated = program.json(*words, "--etp", "2", "--dp", "8", "--setup", "megatron-moe-hgx")
    assert stated.values == found.values
    program.refused(2, *words, "--dp", "4", "--setup", "megatron-moe-hgx")


def test_a_rule_for_the_other_use_is_told(program):
    words = ("memory", "mixtral-8x7b", "--hardware", "h100", "--tp", "2", "--ep", "8")
    found = program.json(*words, "--setup", "vllm")
    assert (
        "vllm: its rule for experts is for serving: etp as without a set-up"
        in (found.data["warnings"])
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--setup", "pytorch"), "states no rule for experts"),
        (("--set", "setup.memory.bucket=1"), "traffic takes a set-up's experts alone"),
    ],
)
def test_what_traffic_does_not_take_of_a_setup_is_told(program, more, words):
    found = program.json("traffic", "mixtral-8x7b", "--ep", "8", "--hardware", "h800", *more)
    assert any(words in text for text in found.data["warnings"])


def test_inputs_recorded_under_the_former_name_have_not_moved(program, tmp_path):
    file = tmp_path / "golden.yaml"
    program.ok("snapshot", TRAIN, "--quantity", "memory.worst.total", "-o", file)
    text = file.read_text()
    assert '"setup.memory.driver_context"' in text
    moved = text.replace("setup.memory.", "runtime.").replace("expect: ", "expect: 1")
    file.write_text(moved)
    found = program("check", file)
    assert found.status == 1
    assert "inputs and formulas are as recorded" in " ".join(found.out.split())

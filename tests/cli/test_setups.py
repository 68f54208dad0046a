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
        ("loss: chunked", "a chunked loss has a loss_chunk"),
        ("loss_chunk: 8", "a chunked loss has a loss_chunk"),
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

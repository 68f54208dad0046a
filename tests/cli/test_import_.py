import pytest
import yaml

from dsv3calc.exit_status import ExitStatus

FAMILIES = (
    "llama", "mistral", "mixtral", "qwen", "qwen2", "qwen3", "qwen3_moe", "deepseek", "deepseek_v2",
    "deepseek_v3", "deepseek_v32", "kimi_k2", "glm4_moe", "gpt_oss", "gemma2", "gemma3", "llama4",
    "olmoe", "phimoe", "dbrx", "minimax_m2",
)  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_a_preset_comes_out_that_counts_the_same(program, config, file, family):
    imported = program.ok("import", config(family), "--name", "mine")
    path = file("mine.yaml", imported.out)
    program.ok("presets", "validate", path)
    first, second = (program.json("params", each).values for each in (config(family), path))
    assert first == second


def test_it_is_written_where_asked(program, config, tmp_path):
    found = program.ok("import", config("llama"), "-o", "my-model.yaml", "--name", "my-model")
    assert found.out == ""
    assert yaml.safe_load((tmp_path / "my-model.yaml").read_text("utf-8"))["name"] == "my-model"
    assert program.json("kv", "./my-model.yaml").values["kv_cache.bytes_per_token"] > 0


def test_what_was_assumed_and_ignored_is_told(program, config):
    err = program.ok("import", config("llama")).err
    assert "assumed: " in err
    assert "ignored keys: " in err
    data = program.json("import", config("llama")).data
    assert data["assumptions"]
    assert data["notes"]


def test_a_folder_and_stdin(program, config, edited_config):
    edited_config()
    folder = yaml.safe_load(program.ok("import", "./", "--name", "x").out)
    found = program.ok("import", "-", "--name", "x", stdin=config("llama").read_bytes())
    assert yaml.safe_load(found.out)["groups"] == folder["groups"]


def test_unknown_keys(program, edited_config):
    path = edited_config(weird_thing=3)
    found = program.refused(ExitStatus.INVALID_INPUT, "import", path)
    assert "weird_thing" in found.err
    assert "--ignore-key" in found.err
    passed = program.ok("import", path, "--ignore-key", "weird_thing")
    assert "weird_thing" in passed.err


@pytest.mark.parametrize("key", ["hidden_size", "model_type"])
def test_keys_that_cannot_be_ignored(program, config, key):
    found = program("import", config("llama"), "--ignore-key", key)
    assert found.status in (ExitStatus.USAGE, ExitStatus.INVALID_INPUT)
    assert found.out == ""


def test_a_key_to_ignore_that_is_not_there_is_said(program, config):
    data = program.json("import", config("llama"), "--ignore-key", "wierd_thing").data
    assert any("wierd_thing" in text for text in data["warnings"] + data["notes"])


@pytest.mark.parametrize(
    "model_type", ["lama", "bert", "", 7, None, ["llama"], {}, "\x1b[2J", "x" * 100_000]
)
def test_an_unknown_model_type(program, edited_config, model_type):
    path = edited_config(model_type=model_type)
    found = program.refused(ExitStatus.INVALID_INPUT, "import", path)
    assert "model_type" in found.err
    if model_type == "lama":
        assert "llama" in found.err


@pytest.mark.parametrize("name", ["../x", "a b", "", "-x", "x" * 300, "a\nb: c", ".", "\x1b[31m"])
def test_wrong_names(program, config, name):
    program.refused(ExitStatus.USAGE, "import", config("llama"), "--name", name)


@pytest.mark.parametrize("name", ["null", "123", "1e5", "true", "no"])
def test_names_that_look_like_something_else(program, config, file, name):
    found = program.ok("import", config("llama"), "--name", name)
    assert yaml.safe_load(found.out)["name"] == name
    program.ok("params", file(f"{name}.yaml", found.out))


def test_what_is_no_config(program, preset_text, file):
    path = file("mine.yaml", preset_text("models", "llama-2-70b"))
    assert "a preset already" in program.refused(ExitStatus.USAGE, "import", path).err
    program.refused(ExitStatus.INVALID_INPUT, "import", "deepseek-v3")
    program.refused(ExitStatus.INVALID_INPUT, "import", "-", stdin="")

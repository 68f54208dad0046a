import pytest

from dsv3calc.exit_status import ExitStatus


def test_a_preset(program):
    found = program.json("params", "deepseek-v3")
    assert found.data["command"] == "params"
    assert found.values["parameters.total"] == 671_026_419_200
    assert found.values["parameters.active"] < found.values["parameters.total"]
    assert found.data["columns"][0]["units"]["parameters.total"] == "elements"


def test_the_checkpoint(program):
    values = program.json("params", "deepseek-v3", "--variant", "checkpoint").values
    assert values["parameters.total"] == 684_531_386_000
    assert values["weights.bytes"] == 688_574_839_360


def test_components_sum_to_the_total(program):
    values = program.json("params", "deepseek-v3").values
    components = [
        value
        for name, value in values.items()
        if name.startswith("parameters.components.") and name.count(".") == 2
    ]
    assert len(components) == 9
    assert sum(components) == values["parameters.total"]


def test_an_alias_is_the_model(program):
    first, second = (program.json("params", name).values for name in ("deepseek-r1", "deepseek-v3"))
    assert first == second


def test_a_config_its_folder_and_stdin_agree(program, config, edited_config):
    by_file = program.json("params", edited_config()).values
    by_folder = program.json("params", "./").values
    by_stdin = program.json("params", "-", stdin=config("llama").read_bytes()).values
    assert by_file == by_folder == by_stdin


def test_yaml_on_stdin(program, preset_text):
    values = program.json("params", "-", stdin=preset_text("models", "llama-3.1-8b")).values
    assert values["parameters.total"] == 8_030_261_248


def test_what_an_import_assumed_and_ignored_is_told(program, config):
    data = program.json("params", config("llama")).data
    assert any("head_dim" in text for text in data["assumptions"])
    assert any("ignored keys" in text for text in data["notes"])


@pytest.mark.parametrize("unit", ["component", "tensor", "layer"])
def test_by(program, unit):
    data = program.json("params", "gemma-3-27b", "--by", unit).data
    assert data["query"]["by"] == unit
    if unit == "layer":
        assert (
            sum(row["total"] for row in data["rows"])
            == data["columns"][0]["values"]["parameters.total"]
        )


def test_include_and_exclude(program):
    default = program.json("params", "deepseek-v3").values["parameters.total"]
    values = program.json("params", "deepseek-v3", "--exclude", "embedding").values
    assert values["parameters.total"] == default - 129_280 * 7168
    with_mtp = program.json("params", "deepseek-v3", "--include", "mtp").values
    assert with_mtp == program.json("params", "deepseek-v3", "--with-mtp").values


def test_with_mtp_where_there_is_none_is_a_warning(program):
    data = program.json("params", "llama-2-70b", "--with-mtp").data
    assert any("--with-mtp" in text for text in data["warnings"])


def test_precision(program):
    values = program.json("params", "llama-2-70b", "--precision", "bf16").values
    assert values["weights.bytes"] == 2 * values["parameters.total"]
    smaller = program.json("params", "llama-2-70b", "--precision", "int4").values
    assert smaller["weights.bytes"] < values["weights.bytes"] / 3


def test_set(program):
    values = program.json("params", "deepseek-v3", "--set", "num_hidden_layers=62").values
    assert values["parameters.total"] > 671_026_419_200
    one = program.json("params", "deepseek-v3", "--set", "groups.1.feed_forward.n_shared_experts=2")
    assert one.values["parameters.components.shared_experts"] == 2 * 58 * 3 * 7168 * 2048
    assert any("n_shared_experts=2" in text for text in one.data["assumptions"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--by", "layr"], "--by"),
        (["--variant", "chekpoint"], "checkpoint"),
        (["--include", "mpt"], "did you mean 'mtp'"),
        (["--exclude", "everything"], "choose among"),
        (["--include", "mtp", "--exclude", "mtp"], "both included and excluded"),
        (["--precision", "fp9"], "dsv3calc presets list precisions"),
        (["--as", "llama.cpp"], "transformers"),
        (["--past", "5"], "--past"),
        (["another"], "another"),
    ],
)
def test_wrong_options(program, options, words):
    found = program.refused(ExitStatus.USAGE, "params", "deepseek-v3", *options)
    assert words in found.err


def test_no_model(program):
    assert "MODEL" in program.refused(ExitStatus.USAGE, "params").err


def test_biases_are_named_after_their_matrices(program):
    printed = program.ok("params", "qwen2.5-7b", "--by", "tensor").out
    rows = [line.split() for line in printed.splitlines()]
    named = {row[0]: row[1] for row in rows if row and row[0].endswith(".bias")}
    # 28 layers; 28 heads of queries and 4 of keys and values, 128 wide
    assert named == {
        "q_proj.bias": f"{28 * 28 * 128:,}",
        "k_proj.bias": f"{28 * 4 * 128:,}",
        "v_proj.bias": f"{28 * 4 * 128:,}",
    }

"""Hostile files: refused with their place, soon, without a traceback."""

import json
import os
import subprocess
import sys

import pytest

import dsv3calc
from dsv3calc.exit_status import ExitStatus

LIMIT = 5  # seconds

TEXTS = {
    "empty.yaml": b"",
    "blank.yaml": b" \n\n",
    "comment.yaml": b"# nothing\n",
    "byte-order-mark.yaml": b"\xef\xbb\xbf",
    "tabs.yaml": b"name: x\n\ttitle: y\n",
    "latin-1.yaml": b"name: caf\xe9\n",
    "utf-16.yaml": "name: x\n".encode("utf-16"),
    "nul.yaml": b"name: \x00\n",
    "escape.yaml": b"name: \x1b[31m\n",
    "line-separator.yaml": "name: x\u2028title: y\n".encode(),
    "list.yaml": b"- 1\n",
    "number.yaml": b"7\n",
    "null.yaml": b"null\n",
    "no-fields.yaml": b"{}\n",
    "list.json": b"[]",
    "number.json": b"7",
    "null.json": b"null",
    "no-keys.json": b"{}",
    "text.json": b'"model"',
    "cut.json": b'{"model_type": "llama", "hidden_size": 40',
    "cut-text.json": b'{"model_type": "lla',
    "two.json": b"{} {}",
    "comma.json": b'{"model_type": "llama",}',
    "single-quotes.json": b"{'model_type': 'llama'}",
    "comment.json": b'{"model_type": "llama"} // no',
    "nan.json": b'{"model_type": "llama", "hidden_size": NaN}',
    "surrogate.json": b'{"model_type": "\\ud800"}',
    "duplicate.json": b'{"model_type": "llama", "model_type": "llama"}',
    "two-documents.yaml": b"name: x\n---\nname: y\n",
    "version.yaml": b"%YAML 9.9\n---\nname: x\n",
    "tag.yaml": b"!!python/object/apply:os.system ['exit 1']\n",
    "anchor.yaml": b"a: &a x\nb: *a\n",
    "merge.yaml": b"a: {b: 1}\n<<: {c: 2}\n",
    "list-as-key.yaml": b"? [1, 2]\n: 3\n",
    "deep.yaml": b"[" * 100_000,
    "deep-maps.yaml": b"{a: " * 100_000,
    "deep-block.yaml": b"- " * 100_000 + b"x\n",
    "deep.json": b"[" * 100_000,
    "deep-closed.json": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "laughs.yaml": b"".join(
        b"%c: &%c [%s]\n" % (97 + n, 97 + n, b",".join([b"*%c" % (96 + n)] * 9) if n else b"lol")
        for n in range(9)
    ),
    "long-line.yaml": b"name: " + b"x" * 900_000,
    "new-lines.yaml": b"\n" * 900_000 + b"a: 1\n",
    "spaces.yaml": b" " * 900_000 + b"a: 1\n",
    "dashes.yaml": b"-" * 900_000,
    "colons.yaml": b": " * 400_000,
    "questions.yaml": b"? " * 400_000,
    "quotes.yaml": b'a: "' + b"\\" * 900_001,
    "quotes.json": b'"' + b"\\" * 900_001,
    "brackets.json": b"]" * 900_000,
    "digits.yaml": b"name: " + b"9" * 900_000,
    "digits.json": b'{"a": ' + b"9" * 900_000 + b"}",
    "exponent.json": b'{"a": 1e' + b"9" * 9000 + b"}",
    "many-keys.yaml": b"".join(b"k%d: 1\n" % n for n in range(30_000)),
    "many-duplicates.yaml": b"a: 1\n" * 150_000,
    "many-anchors.yaml": b"- &a x\n" * 100_000,
    "many-items.yaml": b"groups: [" + b"1," * 100_000 + b"]",
    "many-keys.json": b'{"model_type": "llama"'
    + b"".join(b', "k%d": 1' % n for n in range(20_000))
    + b"}",
    "too-large.yaml": b"# x\n" * 2_000_000,
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_files(program, file, within, name):
    path = file(name, TEXTS[name])
    with within(2 * LIMIT):
        found = program.refused(ExitStatus.INVALID_INPUT, "params", path)
    assert name in found.err
    if TEXTS[name].strip():
        assert "empty" not in found.err or name.startswith("byte-order")


@pytest.mark.parametrize(
    "name", [name for name, text in TEXTS.items() if len(text) < 100 and "number" not in name]
)
def test_hostile_standard_input(program, within, name):
    with within(2 * LIMIT):
        program.refused(ExitStatus.INVALID_INPUT, "kv", "-", stdin=TEXTS[name])


@pytest.mark.parametrize(
    "command",
    [
        ["import"], ["presets", "validate"], ["presets", "show"], ["presets", "where"],
        ["presets", "diff", "deepseek-v3"], ["compare"], ["compare", "deepseek-v3", "--hardware"],
        ["params", "deepseek-v3", "--precision"], ["kv", "deepseek-v3", "--kv-dtype"], ["eval"],
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("name", ["empty.yaml", "deep.yaml", "latin-1.yaml", "cut.json"])
def test_every_command_refuses_them(program, file, command, name):
    program.refused(ExitStatus.INVALID_INPUT, *command, file(name, TEXTS[name]))


def test_a_sparse_gigabyte(program, tmp_path, within):
    path = tmp_path / "model.yaml"
    with path.open("wb") as opened:
        opened.truncate(2**30)
    with within(2 * LIMIT):
        for command in ("params", "import", "eval"):
            found = program.refused(ExitStatus.INVALID_INPUT, command, path)
            # a file of queries may be of any size, its lines may not
            assert ("the line is too long" if command == "eval" else "too large") in found.err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file(program, tmp_path, within):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "closed.yaml").mkdir()
    paths = ["pipe.yaml", "folder/", "./", "loop.yaml", "closed.yaml", "/dev/zero", "/dev/null"]
    with within(2 * LIMIT):
        for path in paths:
            for command in ("params", "presets show", "presets validate", "import", "eval"):
                program.refused(ExitStatus.INVALID_INPUT, *command.split(), path)


# --- config.json ----------------------------------------------------------------------------

WRONG_SIZES = (
    '"7K"', '"4096"', "-1", "0", "-0", "1.5", "true", "null", "[]", "{}", '""', "1e400", "NaN",
    "Infinity", "-Infinity", "1" + "0" * 400, "1e30", "99999999999999999999", "007", "0x10",
    "1_000",
)  # fmt: skip


def with_literal(path, key, literal):
    data = json.loads(path.read_text("utf-8")) | {key: "@"}
    return json.dumps(data, indent=1).replace('"@"', literal)


@pytest.mark.parametrize("literal", WRONG_SIZES)
@pytest.mark.parametrize(
    "key", ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"]
)
def test_a_wrong_size_in_a_config(program, config, file, key, literal):
    text = with_literal(config("llama"), key, literal)
    found = program.refused(ExitStatus.INVALID_INPUT, "params", file("config.json", text))
    line = text[: text.index(f'"{key}"')].count("\n") + 1
    assert f"config.json:{line}:" in found.err


@pytest.mark.parametrize("literal", ['"7K"', "-1", "1.5", "true", "[]", "1e400", "NaN", "1e30"])
@pytest.mark.parametrize(
    "key",
    [
        "n_routed_experts", "num_experts_per_tok", "n_group", "topk_group", "first_k_dense_replace",
        "moe_layer_freq", "kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "v_head_dim",
        "n_shared_experts", "num_nextn_predict_layers", "moe_intermediate_size",
    ],
)  # fmt: skip
def test_a_wrong_size_in_a_deepseek_config(program, config, file, key, literal):
    text = with_literal(config("deepseek_v3"), key, literal)
    program.refused(ExitStatus.INVALID_INPUT, "params", file("config.json", text))


@pytest.mark.parametrize(
    "key",
    ["model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
     "vocab_size"],
)  # fmt: skip
def test_a_missing_key(program, edited_config, key):
    found = program.refused(ExitStatus.INVALID_INPUT, "params", edited_config(**{key: ...}))
    assert f"{key} is missing" in found.err


@pytest.mark.parametrize(
    ("base", "changes", "words"),
    [
        ("llama", {"num_attention_heads": 7}, "7"),
        ("llama", {"num_key_value_heads": 3}, "3"),
        ("llama", {"num_key_value_heads": 64}, "64"),
        ("deepseek_v3", {"num_experts_per_tok": 17}, "17"),
        ("deepseek_v3", {"n_group": 3}, "3"),
        ("deepseek_v3", {"topk_group": 5}, "5"),
        ("mixtral", {"num_experts_per_tok": 1000}, "1000"),
        ("llama", {"hiden_size": 4096}, "hiden_size"),
        ("deepseek_v3", {"quantization_config": [1]}, "quantization_config"),
        ("deepseek_v3", {"quantization_config": 7}, "quantization_config"),
        ("gpt_oss", {"layer_types": ["x"]}, "layer_types"),
        ("gpt_oss", {"layer_types": 5}, "layer_types"),
    ],
)
def test_configs_that_make_no_sense(program, edited_config, base, changes, words):
    found = program.refused(ExitStatus.INVALID_INPUT, "params", edited_config(base, **changes))
    assert words in found.err
    assert next(iter(changes)) in found.err


@pytest.mark.parametrize("cut", [1, 5, 50, 200])
def test_a_truncated_config(program, config, file, cut):
    path = file("config.json", config("deepseek_v3").read_text("utf-8").rstrip()[:-cut])
    found = program.refused(ExitStatus.INVALID_INPUT, "params", path)
    assert "not JSON" in found.err


# --- presets --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hidden_size: 7168", "hidden_size: 1e400"),
        ("hidden_size: 7168", "hidden_size: .nan"),
        ("hidden_size: 7168", "hidden_size: .inf"),
        ("hidden_size: 7168", "hidden_size: 1" + "0" * 400),
        ("hidden_size: 7168", "hidden_size: 7168.5"),
        ("hidden_size: 7168", "hidden_size: yes"),
        ("hidden_size: 7168", "hidden_size: 1:30"),
        ("hidden_size: 7168", "hidden_size: 0o777777777777777777777777777"),
        ("hidden_size: 7168", "hidden_size: 7168\nhidden_size: 7168"),
        ("hidden_size: 7168", ""),
        ("num_hidden_layers: 61", "num_hidden_layers: 1000000000"),
        ("num_hidden_layers: 61", "num_hidden_layers: 3"),
        ("num_experts_per_tok: 8", "num_experts_per_tok: 257"),
        ("kv_lora_rank: 512", "kv_lora_rank: -512"),
        ("type: mla", "type: mha"),
        ("type: mla", "type: [mla]"),
        ("type: moe", "type: dense"),
        ("name: deepseek-v3", "name: ../../etc/passwd"),
        ("name: deepseek-v3", 'name: "\\e[31m"'),
        ("precision: fp8-deepseek-v3", "precision: [fp8]"),
    ],
)
def test_presets_that_make_no_sense(program, file, preset_text, old, new):
    text = preset_text("models", "deepseek-v3")
    assert old in text
    path = file("mine.yaml", text.replace(old, new, 1))
    found = program.refused(ExitStatus.INVALID_INPUT, "params", path)
    assert "mine.yaml:" in found.err


@pytest.mark.parametrize(
    "value",
    [
        "0",
        "-1",
        "1e-300",
        "1e-320",
        "4e-30 TB/s",
        "1e39",
        "1e400",
        ".nan",
        "4 TB",
        "x",
        "[]",
        "null",
    ],
)
@pytest.mark.parametrize("field", ["memory.bandwidth", "peaks.bf16"])
def test_hardware_that_makes_no_sense(program, field, value):
    program.refused(
        ExitStatus.USAGE,
        "compare", "deepseek-v3", "--hardware", "h800", "--set", f"hardware.{field}={value}",
    )  # fmt: skip


@pytest.mark.parametrize("value", ["0", "-8", "3.3", "1e30", "x", "null"])
def test_a_cache_format_that_makes_no_sense(program, value):
    program.refused(ExitStatus.USAGE, "kv", "deepseek-v3", "--set", f"kv_format.bits={value}")


def test_a_peak_of_an_unknown_number_format(program, file, preset_text):
    text = preset_text("hardware", "h800").replace("\n  bf16:", "\n  bf_16: 1\n  bf16:", 1)
    assert "bf_16" in text
    found = program.refused(
        ExitStatus.INVALID_INPUT, "compare", "deepseek-v3", "--hardware", file("mine.yaml", text)
    )
    assert "bf_16" in found.err


# --- --set ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "", "=", "=1", " =1", "x", "hidden_size", "x=1", ".=1", "..=1", "model.=1", "attention=gqa",
        "attention.=5", "attention.x=5", "feed_forward.=1", "groups.5=1", "groups.-1=1",
        "groups.-1.attention=1", "groups.².attention=1", "groups.٣.attention=1", "groups.99999=1",
        "groups.999999=1", "groups.x=1", "name.x=1", "hidden_size.x=1", "__class__=1", "head_dim=4",
        "index_topk=3", "hardware.x=1", "hardware.=1", "kv_format.bits=8", "\n=1", "x" * 300 + "=1",
        "hidden_size=" + "1" * 300,
    ],
)  # fmt: skip
def test_sets_that_lead_nowhere(program, text):
    program.refused(ExitStatus.USAGE, "params", "deepseek-v3", "--set", text)


@pytest.mark.parametrize(
    "text",
    [
        "hidden_size=", "hidden_size=7K", "hidden_size=-1", "hidden_size=0", "hidden_size=1e400",
        "hidden_size=" + "9" * 39, "hidden_size=" + "9" * 41, "hidden_size=.nan", "hidden_size=[]",
        "hidden_size={}", "hidden_size=null", "hidden_size=true", "hidden_size=7168.5",
        "hidden_size=1\nname: y", "groups=[]", "groups=1", "groups=null", "groups={}", "groups.0=1",
        "groups.0.attention=gqa", "groups.0.attention.type=gqa", "groups.0.attention.head_dim=64",
        "groups.0.layers=0:99", "groups.0.layers=5:3", "groups.0.layers=::0", "groups.0.layers=a",
        "groups.0.layers=[]", "groups.0.layers='0:99999999999999999999'", "groups.0.__class__=1",
        "name=../x", "name=\x1b", "title=[", "title=&a b", "title=*a", "title=!x y", "title=#x",
        "title=a: b", "num_hidden_layers=1", "num_hidden_layers=1000000000", "n_group=7",
        "num_experts_per_tok=257", "num_experts_per_tok=0", "n_routed_experts=4", "topk_group=9",
        "q_lora_rank=0", "sources={}", "provenance={}", "tie_word_embeddings=maybe",
        "precision.x=1", "precision.formats={}", "indexer=1",
        "block_norms=-1", "mtp.num_nextn_predict_layers=0",
    ],
)  # fmt: skip
def test_sets_of_what_is_no_value(program, text):
    program.refused(ExitStatus.USAGE, "params", "deepseek-v3", "--set", text)


@pytest.mark.parametrize(
    "text", ["title=foo.json", "title='a: b'", "title=", "hidden_size= 7e3", "groups.0.layers=rest"]
)
def test_sets_that_are_fine(program, text):
    found = program("params", "deepseek-v3", "--set", text, "--json")
    if text == "title=":
        assert found.status == ExitStatus.USAGE
    else:
        assert found.status == ExitStatus.OK, found.err


def test_a_set_that_names_an_unreadable_file(program):
    edit = ("--set", "precision=/dev/zero")
    program.refused(ExitStatus.INVALID_INPUT, "params", "deepseek-v3", *edit)


def test_a_precision_by_its_file(program, file, preset_text):
    file("p.yaml", preset_text("precisions", "bf16"))
    (data,) = json.loads(
        program.ok("params", "deepseek-v3", "--set", "precision=./p.yaml", "--json").out
    )["columns"]
    plain = program.json("params", "deepseek-v3", "--precision", "bf16").values
    assert data["values"]["weights.bytes"] == plain["weights.bytes"]


def test_many_sets(program):
    more = ["--set", "num_experts_per_tok=4"] * 500
    assert program("params", "deepseek-v3", *more).status == ExitStatus.OK


def test_a_set_that_only_one_column_has(program):
    found = program("compare", "deepseek-v3", "llama-2-70b", "--set", "kv_lora_rank=256", "--json")
    if found.status == ExitStatus.OK:
        assert any("llama-2-70b" in text for text in found.data["warnings"])
    else:
        assert "llama-2-70b" in found.err
    program.refused(
        ExitStatus.USAGE, "compare", "deepseek-v3", "llama-2-70b", "--set", "kv_lora_rnk=256"
    )


# --- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (r'kv "./a\0b.yaml"', ExitStatus.INVALID_INPUT),
        (r'kv deepseek-v3 --kv-dtype "a\0/b"', ExitStatus.INVALID_INPUT),
        (r'params deepseek-v3 --precision "./a\0b"', ExitStatus.INVALID_INPUT),
        (r'kv deepseek-v3 --preset-path "a\0b"', ExitStatus.USAGE),
        (r'memory deepseek-v3 --hardware "a\0b.yaml"', ExitStatus.INVALID_INPUT),
        (r'compare deepseek-v3 "./a\0b"', ExitStatus.INVALID_INPUT),
    ],
)
def test_a_nul_in_a_name_breaks_its_own_row_alone(program, file, query, status):
    asked = query.replace(r"\0", "\0")
    with pytest.raises(dsv3calc.Dsv3calcError) as refused:
        dsv3calc.answer(asked)
    assert refused.value.exit_status == status
    text = json.dumps(asked)
    path = file(
        "numbers.yaml",
        f"goldens:\n  - {{query: {text}, quantity: x, expect: 1}}\n"
        "  - {query: kv deepseek-v3, quantity: kv_cache.bytes_per_token, expect: 70272}\n",
    )
    found = program("check", path, "--json")
    assert found.status == ExitStatus.INVALID_INPUT
    assert [row["status"] for row in found.data["rows"]] == ["broken", "kept"]


def test_a_nul_in_the_name_that_a_preset_gives(program, file, preset_text):
    text = preset_text("models", "deepseek-v3")
    old = "precision: fp8-deepseek-v3"
    assert old in text
    path = file("mine.yaml", text.replace(old, r'precision: "./a\0b"'))
    program.refused(ExitStatus.INVALID_INPUT, "params", path)


@pytest.fixture
def bytes_in_names(tmp_path, preset_text):
    """Files and a directory whose names are not UTF-8."""
    folder = os.fsencode(tmp_path)
    try:
        os.mkdir(os.path.join(folder, b"d\xff"))
    except OSError:  # a file system whose names are Unicode
        pytest.skip("no such names here")
    for name, text in (
        (b"m\xff.yaml", preset_text("models", "deepseek-v3")),
        (b"d\xff/n.yaml", "goldens: [{query: kv deepseek-v3, quantity: x, expect: 1}]\n"),
    ):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as opened:
            opened.write(text)


@pytest.mark.usefixtures("bytes_in_names")
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["kv", "./m\udcff.yaml"], ExitStatus.OK),
        (["kv", "./m\udcff.yaml", "--explain"], ExitStatus.OK),
        (["presets", "where", "./m\udcff.yaml"], ExitStatus.OK),
        (["diff", "./m\udcff.yaml", "deepseek-v3"], ExitStatus.OK),
        (["check", "d\udcff"], ExitStatus.INVALID_INPUT),
    ],
    ids=ascii,
)
def test_names_that_are_not_utf8(program, tmp_path, arguments, status):
    found = program(*arguments, "--json")
    assert found.status == status
    assert "\\udcff" in json.dumps(found.data, ensure_ascii=False)
    assert found.out.isascii() or found.out.encode()
    for name in ("x.json", "x.md"):
        assert program(*arguments, "-o", name).status == status
        (tmp_path / name).read_text("utf-8")


@pytest.mark.usefixtures("bytes_in_names")
@pytest.mark.parametrize(
    "line",
    [
        "kv ./m\udcff.yaml --explain --format html",
        "kv ./m\udcff.yaml --format markdown",
        *(f"check d\udcff --format {form}" for form in ("junit", "sarif", "github", "csv")),
    ],
    ids=ascii,
)
def test_every_format_is_utf8(process_environment, tmp_path, line):
    found = subprocess.run(
        [sys.executable, "-m", "dsv3calc", *line.split()], env=process_environment, cwd=tmp_path,
        capture_output=True, check=False,
    )  # fmt: skip
    status = ExitStatus.INVALID_INPUT if "check" in line else ExitStatus.OK
    assert found.returncode == status, found.stderr
    assert found.stdout.decode("utf-8")


@pytest.mark.usefixtures("bytes_in_names")
def test_a_snapshot_cannot_hold_such_a_name(program):
    found = program.refused(ExitStatus.USAGE, "snapshot", "kv ./m\udcff.yaml")
    assert "not UTF-8" in found.err


@pytest.mark.parametrize("command", ["kv", "import"])
def test_a_name_with_a_nul_is_none_of_a_file(program, command):
    found = program.refused(ExitStatus.INVALID_INPUT, command, "./a\0b.json")
    assert "its name holds a NUL character" in found.err
    assert "embedded null byte" not in found.err

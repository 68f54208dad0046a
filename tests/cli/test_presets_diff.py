import pytest

from dsv3calc.exit_status import ExitStatus


def test_two_models(program):
    data = program.json("presets", "diff", "deepseek-v3", "kimi-k2").data
    fields = {row["field"]: row for row in data["rows"]}
    row = fields["groups.1.feed_forward.n_routed_experts"]
    assert list(row.values())[1:3] == [256, 384]
    assert row["ratio"] == 1.5
    assert "name" not in fields
    assert not any(field.startswith(("sources", "provenance")) for field in fields)


def test_two_devices(program):
    rows = program.json("presets", "diff", "h800", "h20").data["rows"]
    assert any(row["field"] == "memory.bandwidth" for row in rows)


@pytest.mark.parametrize("command", [("presets", "diff"), ("diff", "--all", "--kind", "hardware")])
def test_what_was_fitted_is_short(program, command):
    """Entries of one device alone are named; how values were fitted is not compared."""
    rows = program.json(*command, "h800", "h100").data["rows"]
    fields = {row.get("field", row.get("name")): row for row in rows}
    assert len(rows) < 40
    assert not any(".fit" in field or field.endswith("fit") for field in fields)
    assert "bf16" in fields["achieved.gemm"]["b"]
    assert "bf16" not in fields["achieved.gemm"]["a"]
    assert fields["achieved.experts"]["a"] is None
    assert fields["achieved.links.exchanges.normal.latency"]["ratio"] > 0
    assert not any(field.startswith("achieved.gemm.bf16") for field in fields)


def test_fields_beside_a_device_without_any(program):
    rows = program.json("presets", "diff", "h100", "rtx-4090").data["rows"]
    (gemm,) = (row for row in rows if row["field"].startswith("achieved.gemm"))
    assert "bf16" in gemm["a"]
    assert gemm["b"] is None


def test_the_same(program):
    data = program.json("presets", "diff", "deepseek-v3", "deepseek-r1").data
    assert data["rows"] == []
    assert any("same values" in note for note in data["notes"])


def test_two_files_of_one_name(program, file, preset_text):
    text = preset_text("models", "llama-2-70b")
    path = file("llama-2-70b.yaml", text.replace("vocab_size: 32000", "vocab_size: 32001"))
    (row,) = program.json("presets", "diff", "llama-2-70b", path).data["rows"]
    assert row["field"] == "vocab_size"
    assert sorted(value for value in row.values() if type(value) is int) == [32000, 32001]


@pytest.mark.parametrize("name", ["field", "ratio", "a", "b"])
def test_names_that_are_also_headings(program, file, preset_text, name):
    text = preset_text("models", "llama-2-70b")
    text = text.replace("name: llama-2-70b", f"name: {name}").replace("32000", "32001")
    path = file(f"{name}.yaml", text)
    row = next(
        row
        for row in program.json("presets", "diff", path, "llama-2-70b").data["rows"]
        if "vocab_size" in row.values()
    )
    assert 32001 in row.values()
    assert 32000 in row.values()
    assert row["ratio"] == pytest.approx(32000 / 32001)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["deepseek-v3"], "OTHER"),
        (["deepseek-v3", "h800"], "one kind"),
        (["deepseek-v3", "nope"], "no preset 'nope'"),
        (["bf16", "bf16"], "--kind"),
    ],
)
def test_wrong_names(program, arguments, words):
    assert words in program.refused(ExitStatus.USAGE, "presets", "diff", *arguments).err

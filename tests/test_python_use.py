"""Python as people use it: what a session shows, frames of pandas, errors with words."""

# SPDX-License-Identifier: Apache-2.0
import sys
import types

import pytest

import dsv3calc
from dsv3calc.queries.table import QUERIES


def test_dir_lists_what_there_is():
    names = dir(dsv3calc)
    assert {"answer", "query", "load_model"} <= set(names)
    assert {command.identifier for command in QUERIES.values()} <= set(names)
    assert all(getattr(dsv3calc, name) is not None for name in names)


def test_a_ledger_shows_its_main_numbers():
    shown = repr(dsv3calc.kv("deepseek-v3"))
    assert shown.splitlines()[0].startswith("DeepSeek-V3: ")
    assert "kv_cache.bytes_per_token" in shown
    assert "68.62 KiB" in shown
    long = repr(dsv3calc.query("memory deepseek-v3 --layout v3-pretrain --hardware h800"))
    assert len(long.splitlines()) < 25
    assert long.splitlines()[-1].endswith("more")


def test_structs_and_lines_are_shown_in_short():
    assert repr(dsv3calc.load_model("deepseek-v3")) == (
        "<Model deepseek-v3: 61 layers 7,168 wide (mla, dense, moe), vocabulary 129,280>"
    )
    assert repr(dsv3calc.load_hardware("h800")).startswith(
        "<Hardware h800: 79.11 GiB usable, 3.35 TB/s, bf16 989.4 TFLOP/s, "
    )
    line = dsv3calc.kv("deepseek-v3").find("kv_cache.bytes")
    assert repr(line) == "<kv_cache.bytes = 274.5 MiB (sum)>"


def test_a_line_that_is_not_there_is_told_with_the_nearest():
    ledger = dsv3calc.kv("deepseek-v3")
    for ask in (ledger.find, ledger.__getitem__):
        with pytest.raises(KeyError, match=r"has no line 'kv_cache.byts'; did you mean"):
            ask("kv_cache.byts")
    assert ledger.get("kv_cache.byts") is None


def test_an_answer_shows_its_columns():
    shown = repr(dsv3calc.compare("deepseek-v3", "llama-3.1-8b", rows="kv_cache"))
    assert shown.startswith("Answer of compare (")
    assert "deepseek-v3: " in shown
    assert "llama-3.1-8b: " in shown


def test_a_notebook_gets_a_table_without_markup_of_titles(tmp_path):
    path = tmp_path / "model.yaml"
    text = dsv3calc.answer("kv mistral-7b").presets[0].source.text
    path.write_text(text.replace("title: ", "title: <script> "))
    html = dsv3calc.kv(str(path))._repr_html_()
    assert "<table>" in html
    assert "<script>" not in html
    both = dsv3calc.compare("deepseek-v3", "llama-3.1-8b")._repr_html_()
    assert both.count("<table>") == 2


class Frame:
    """What is used of a DataFrame."""

    def __init__(self, rows):
        self.rows = rows

    def set_index(self, name):
        return {row[name]: {key: value for key, value in row.items() if key != name}
                for row in self.rows}  # fmt: skip


@pytest.fixture
def pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(DataFrame=Frame))


@pytest.mark.usefixtures("pandas")
def test_values_are_a_frame():
    ledger = dsv3calc.kv("deepseek-v3")
    found = ledger.to_pandas()
    assert {name: row["value"] for name, row in found.items()} == ledger.values
    assert found["kv_cache.bytes"]["unit"] == "B"
    both = dsv3calc.compare("deepseek-v3", "llama-3.1-8b", rows="kv_cache").to_pandas()
    row = both["kv_cache.bytes_per_token"]
    assert (row["deepseek-v3"], row["llama-3.1-8b"]) == (70_272, 131_072)


def test_without_pandas_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        dsv3calc.kv("deepseek-v3").to_pandas()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: dsv3calc.query(5), "takes a query as on the command line.*of type int"),
        (lambda: dsv3calc.answer(["kv", "deepseek-v3"]), "of type list"),
        (lambda: dsv3calc.load_model(None), "load_model.*of type NoneType"),
        (lambda: dsv3calc.load_hardware(3.5), "load_hardware.*of type float"),
        (lambda: dsv3calc.kv("deepseek-v3", contxt=5), "did you mean 'context'"),
        (lambda: dsv3calc.kv("deepseek-v3", "b"), "one more"),
    ],
)
def test_wrong_types_are_told_in_words(call, words):
    with pytest.raises(TypeError, match=words):
        call()

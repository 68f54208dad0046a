"""The keyword API: what it takes, and what it says of what it does not take."""

import inspect
from pathlib import Path

import pytest

import dsv3calc
from dsv3calc.catalogue import search_path
from dsv3calc.errors import UsageError


def test_numbers_and_texts_are_read_alike():
    """DeepSeek-V3 caches 576 elements a token and layer in 61 layers, 2 bytes each in BF16."""
    for tokens in (128_000, "128k", "128_000", 128e3):
        ledger = dsv3calc.kv("deepseek-v3", context=tokens, batch=2)
        assert ledger["kv_cache.bytes"] == 2 * 128_000 * 61 * 576 * 2


@pytest.mark.parametrize("name", ["context", "tokens"])
def test_a_keyword_is_an_option_an_old_one_or_a_field(name):
    assert dsv3calc.kv("deepseek-v3", **{name: 1})["kv_cache.bytes"] == 61 * 576 * 2


def test_lists_and_flags():
    with_mtp = dsv3calc.kv("deepseek-v3", set=["num_hidden_layers=4"], with_mtp=True, context=1)
    assert with_mtp["kv_cache.bytes"] == 5 * 576 * 2
    found = dsv3calc.compare("deepseek-v3", "qwen2.5-72b", rows=["parameters"], mla=None)
    assert [column.id for column in found.columns] == ["deepseek-v3", "qwen2.5-72b"]


def test_a_path_is_never_the_name_of_a_preset(tmp_path, monkeypatch):
    path = search_path.listing("model")["llama-3.1-8b"][1]
    (tmp_path / "deepseek-v3").write_bytes(Path(path).read_bytes())
    monkeypatch.chdir(tmp_path)
    of_file, of_preset = dsv3calc.kv("llama-3.1-8b"), dsv3calc.kv("deepseek-v3")
    assert dsv3calc.kv(Path("deepseek-v3"))["kv_cache.bytes"] == of_file["kv_cache.bytes"]
    assert of_file["kv_cache.bytes"] != of_preset["kv_cache.bytes"]
    assert dsv3calc.load_model(Path("deepseek-v3")).name == "llama-3.1-8b"


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: dsv3calc.kv("deepseek-v3", contxt=1), "did you mean 'context'?"),
        (lambda: dsv3calc.kv("deepseek-v3", zzz=1), "it takes as, as_, batch, context"),
        (lambda: dsv3calc.kv("deepseek-v3", "qwen2.5-72b"), "'qwen2.5-72b' is one more"),
        (lambda: dsv3calc.kv(3), "kv() takes a text for model; 3 is of type int"),
        (lambda: dsv3calc.kv("deepseek-v3", batch=[1]), "a number, or a text such as '128Ki'"),
        (lambda: dsv3calc.kv("deepseek-v3", with_mtp="yes"), "True or False for with_mtp"),
        (lambda: dsv3calc.kv("deepseek-v3", kv_dtype=8), "a text for kv_dtype; 8 is of type int"),
        (lambda: dsv3calc.params("deepseek-v3", include=[3]), "texts for include; 3 is of type"),
        (lambda: dsv3calc.compare(["a", "b"]), "its models as arguments of their own"),
    ],
)
def test_a_wrong_call_is_a_type_error(ask, words):
    with pytest.raises(TypeError) as caught:
        ask()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (dsv3calc.kv, "kv takes one model"),
        (lambda: dsv3calc.memory("deepseek-v3"), "memory takes one hardware"),
        (lambda: dsv3calc.kv("deepseek-v3", context="ten"), "--context 'ten'"),
        (lambda: dsv3calc.kv("deepseek-v3", context=0), "--context is 0"),
        (lambda: dsv3calc.kv("deepseek-v3", context=True), "--context a bool is not a quantity"),
        (lambda: dsv3calc.kv("deepseek-v3", context=1, tokens=2), "--context and --tokens are one"),
    ],
)
def test_a_wrong_value_is_a_usage_error(ask, words):
    with pytest.raises(UsageError) as caught:
        ask()
    assert words in caught.value.message


def test_what_editors_are_shown():
    signature = inspect.signature(dsv3calc.kv)
    assert next(iter(signature.parameters)) == "model"
    assert {"context", "kv_dtype", "with_mtp", "as_"} <= signature.parameters.keys()
    assert "KV cache of a model" in dsv3calc.kv.__doc__


@pytest.mark.parametrize("name", dsv3calc.__all__)
def test_public_names_are_there(name):
    assert getattr(dsv3calc, name) is not None
    assert name in dir(dsv3calc)

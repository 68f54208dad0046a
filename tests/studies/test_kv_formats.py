"""What answers say of the KV format: index keys, and the sources of what is stored."""

import pytest

import dsv3calc

SERVE = "--serve --hardware h200 --tp 8"
NOTE = (
    "index keys of sparse attention take 8 bits an element and a 32-bit scale for each 128; "
    "{} is the format of the rest"
)


def sources(answer):
    return {source["id"] for source in answer.sources}


@pytest.mark.parametrize("command", ["kv {}", f"memory {{}} {SERVE}", "compare {}"])
@pytest.mark.parametrize("kv_format", ["bf16", "fp8", "int8"])
def test_index_keys_are_told_where_there_are_any(command, kv_format):
    """SGLang stores 128 FP8 values and a float32 scale a token and layer in every format."""
    query = f"{command} --kv-dtype {kv_format}"
    sparse = dsv3calc.answer(query.format("deepseek-v3.2"))
    assert NOTE.format(kv_format) in sparse.notes
    assert f"{kv_format}:indexer" in sources(sparse)
    dense = dsv3calc.answer(query.format("deepseek-v3"))
    assert not any("index keys" in note for note in dense.notes)
    assert f"{kv_format}:indexer" not in sources(dense)
    assert any(name.startswith(f"{kv_format}:") for name in sources(dense))


def test_a_comparison_tells_it_where_one_of_the_models_has_an_indexer():
    answer = dsv3calc.answer("compare deepseek-v3 deepseek-v3.2")
    assert NOTE.format("bf16") in answer.notes
    assert "bf16:indexer" in sources(answer)


def test_index_keys_as_transformers_keeps_them_are_those_of_the_format():
    answer = dsv3calc.answer("kv deepseek-v3.2 --as transformers")
    assert not any("index keys" in note for note in answer.notes)
    assert "bf16:indexer" not in sources(answer)

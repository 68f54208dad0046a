"""``compare`` with rows of servers: each column is the answer of ``serve``."""

import dsv3calc

SHOWN = "serve.tokens_per_second_per_gpu.decode"


def columns_of(line):
    """Return the values of each column of a comparison by title."""
    found = dsv3calc.answer(f"compare {line}").columns
    return {
        column.title: {name: line.value for name, line in column.ledger.named().items()}
        for column in found
    }


def test_a_column_is_the_answer_of_serve():
    asked = "--hardware h100 --setup vllm --context 60k"
    limited = "serve.slo=tpot<=12ms"
    found = columns_of(f"llama-3.1-8b:batch=3 'llama-3.1-8b:{limited}' {asked} --rows serve")
    alone = [
        dsv3calc.query(f"serve llama-3.1-8b {asked} {more}")
        for more in ("--batch 3", "--slo 'tpot<=12ms'")
    ]
    for values, server in zip(found.values(), alone, strict=True):
        served = {name: value for name, value in values.items() if name.startswith("serve.")}
        assert SHOWN in served
        assert served == {name: server[name] for name in served}


def test_memory_of_a_server_is_that_of_the_changed_model():
    found = columns_of(
        "deepseek-v3:tp=8,ep=8 deepseek-v3:tp=8,ep=8,attention=gqa:8 --hardware h200 --serve "
        "--rows serve,memory"
    )
    for values in found.values():
        assert values["serve.max_batch"] == values["serving.max_sequences"]

"""Rows of servers that prefill alone or decode alone: what is asked, and why others are not."""

import pytest

from dsv3calc.catalogue import presets
from dsv3calc.schema.measurement import Row
from dsv3calc.studies.measurements.cases import NotExpressed
from dsv3calc.studies.measurements.servers import decoding, prefilling

H100 = presets.load("hardware", "h100").value
SERVER = {
    "id": "sglang-x", "group": "g", "hw": "H100", "n": 72, "model": "DeepSeek-V3/R1",
    "prec": "FP8 (DeepGEMM), FP8 dispatch/BF16 combine", "layout": {"ep": 72, "dp": 72},
    "batch": {"requests_per_gpu": 256, "tokens_per_gpu": 16384}, "seq": {"len": 4096},
    "value": {"output_tokens_per_s_per_node": 22282, "input_tokens_per_s_per_gpu": 6000},
}  # fmt: skip


def row(area, **changes):
    return Row(**{**SERVER, "area": area, **changes})


def test_decoding_asks_for_the_time_between_tokens():
    (case,) = decoding(row("inference_decode"), H100)
    (ask,) = case.asks[0]
    assert (ask.query.phase, ask.query.batch, ask.query.context) == ("decode", 256, 4096)
    assert (ask.query.ep, ask.query.redundant_experts, ask.query.set) == (72, 32, ())
    assert case.seconds == [pytest.approx(256 * 8 / 22282)]
    assert case.platform == "sglang"


def test_prefill_asks_for_a_pass_of_the_tokens_of_a_gpu():
    layout = {"ep": 72, "dp": 72, "tbo": 1}
    (case,) = prefilling(row("inference_prefill", layout=layout), H100)
    (ask,) = case.asks[0]
    assert (ask.query.phase, ask.query.batch, ask.query.sequence) == ("prefill", 4, 4096)
    assert ask.query.set == ("setup.time.overlap.ep=1",)
    assert case.seconds == [pytest.approx(16384 / 6000)]


@pytest.mark.parametrize(
    ("express", "changes", "words"),
    [
        (decoding, {"layout": {"ep": 8, "mtp": 1}}, "speculative decoding"),
        (decoding, {"batch": {}}, "no requests_per_gpu"),
        (decoding, {"value": {"x": 1}}, "no output_tokens_per_s of a GPU or a node"),
        (decoding, {"note": "secondary source; balanced"}, "told by others"),
        (decoding, {"layout": {"ep": "wide", "dp": 8}}, "no ep"),
        (prefilling, {"seq": {}}, "no len"),
        (prefilling, {"what": "production average"}, "an average of a service"),
        (prefilling, {"series": {"len": [1], "ttft_ms": [2.0]}}, "the part of the host"),
    ],
)
def test_what_a_row_lacks_is_named(express, changes, words):
    area = "inference_decode" if express is decoding else "inference_prefill"
    with pytest.raises(NotExpressed, match=words):
        express(row(area, **changes), H100)

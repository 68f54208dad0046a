"""What rows say of kernels: work counted by hand, reasons where none can be counted."""

import pytest

from dsv3calc.schema.measurement import Row
from dsv3calc.studies.measurements.areas import Devices, Unusable, cases_of
from dsv3calc.studies.measurements.cases import NotExpressed

DEVICES = Devices()


def row(area, what, hw="H100-SXM", **fields):
    return Row(id="r", area=area, what=what, group="g", hw=hw, **fields)


def only(found):
    assert len(found) == 1
    return found[0]


def test_a_product_reads_and_writes_each_tensor_once():
    case = only(
        cases_of(
            row(
                "kernel_gemm", "GEMM", prec="fp8", value={"n": 300, "k": 200},
                series={"m": [10, 20], "latency_us": [5.0, 6.0]},
            ),
            DEVICES,
        )
    )  # fmt: skip
    assert case.key == ("gemm", "fp8")
    assert case.seconds == pytest.approx([5e-6, 6e-6])
    assert case.points[1]["flops"] == 2 * 20 * 300 * 200
    assert case.points[1]["moved"] == 20 * 200 + 300 * 200 + 2 * 20 * 300
    assert case.points[1]["pass_bytes"] == 3 * 20 * 200


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)])
def test_times_may_be_in_any_unit(unit, factor):
    value = {"m": 4096, "n": 7168, "k": 16384, f"latency_{unit}": 2e-3 / factor}
    case = only(cases_of(row("kernel_gemm", "GEMM", prec="bf16", value=value), DEVICES))
    assert case.seconds == pytest.approx([2e-3])


def test_a_trace_with_part_of_the_device_computes_at_that_part():
    case = only(
        cases_of(
            row(
                "kernel_gemm", "forward GEMM", hw="H800", prec="FP8",
                value={"m": 4096, "n": 7168, "k": 16384}, series={"duration_us": [895, 885]},
                note="112 SMs compute + 20 SMs comm running concurrently",
            ),
            DEVICES,
        )
    )  # fmt: skip
    assert case.kind == "traced"
    assert case.key == ("gemm", "fp8_block-deepgemm")
    assert case.points[0]["flops"] == pytest.approx(2 * 4096 * 7168 * 16384 * 132 / 112)


def test_balanced_experts_are_hit_as_often_as_there_are_rows():
    value = {"hidden": 7168, "inter": 2048, "experts": 256, "topk": 8, "distribution": "balanced"}
    series = {"num_tokens_global": [1, 64, 4096], "latency_us": [400.0, 4000.0, 8000.0]}
    case = only(
        cases_of(
            row(
                "kernel_grouped_gemm", "fused MoE", prec="fp8_block", layout={"ep": 4},
                value=value, series=series,
            ),
            DEVICES,
        )
    )  # fmt: skip
    expert = 3 * 7168 * 2048
    assert [point["moved"] for point in case.points] == [2 * expert, 64 * expert, 64 * expert]
    assert [point["flops"] for point in case.points] == [
        2 * rows * expert for rows in (2, 128, 8192)
    ]


def test_decoding_reads_the_cache_of_keys_and_values():
    value = {"heads": 32, "kv_heads": 8, "head_dim": 128}
    case = only(
        cases_of(
            row(
                "kernel_attention", "generation", prec="bf16 compute / KV fp8",
                batch={"batch": 4}, value=value,
                series={"kv_len": [1000], "latency_us": [30.0]},
            ),
            DEVICES,
        )
    )  # fmt: skip
    assert case.key == ("attention", "decode", "fp8")
    assert case.points[0]["moved"] == 4 * 1000 * 2 * 8 * 128
    assert case.points[0]["flops"] == 4 * 32 * 1000 * 2 * 2 * 128


def test_causal_attention_has_half_the_pairs():
    value = {"heads": 16, "kv_heads": 4, "head_dim": 64}
    case = only(
        cases_of(
            row(
                "kernel_attention", "context (prefill) causal", prec="bfloat16 / KV bfloat16",
                batch={"batch": 2}, value=value, series={"len": [512], "latency_us": [50.0]},
            ),
            DEVICES,
        )
    )  # fmt: skip
    assert case.points[0]["flops"] == 2 * 16 * 2 * 2 * 64 * 512**2 / 2


def test_a_rate_is_that_of_any_amount_of_work():
    case = only(
        cases_of(
            row(
                "kernel_attention", "attention forward", prec="FP16",
                series={"len": [512, 1024], "fa3_tflops": [400, 500]},
            ),
            DEVICES,
        )
    )  # fmt: skip
    rates = [
        point["flops"] / seconds for point, seconds in zip(case.points, case.seconds, strict=True)
    ]
    assert rates == pytest.approx([400e12, 500e12])
    assert case.library == "fa3"


def test_an_all_reduce_sends_its_payload_twice_less_its_share():
    case = only(
        cases_of(
            row(
                "collective_other", "NCCL all_reduce latency", value={"gpus": 8},
                series={"message_bytes": [800], "latency_us": [15.0]},
            ),
            DEVICES,
        )
    )  # fmt: skip
    assert case.points[0] == {"moved": 1400, "ranks": 8}


def test_a_low_latency_dispatch_sends_a_copy_for_each_expert():
    value = {"hidden": 7168, "topk": 8, "experts": 256}
    found = cases_of(
        row(
            "collective_a2a", "DeepEP low-latency dispatch/combine", layout={"ep": 16},
            value=value,
            series={"tokens_per_rank": [128], "dispatch_us": [102.1], "combine_us": [186.2]},
        ),
        DEVICES,
    )  # fmt: skip
    dispatch, combine = found
    wire = 7168 * (1 + 4 / 128)
    assert dispatch.points[0]["scale_out_bytes"] == pytest.approx(128 * 8 * 8 / 16 * wire)
    assert dispatch.points[0]["scale_up_bytes"] == pytest.approx(128 * 8 * 7 / 16 * wire)
    assert combine.points[0]["scale_out_bytes"] == pytest.approx(128 * 8 * 8 / 16 * 7168 * 2)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"area": "training_memory"}, "an area without a predictor"),
        ({"hw": "H999"}, "unknown hardware 'H999'"),
        ({"hw": ""}, "no hardware stated"),
        ({"hw": "../../etc/passwd"}, "unknown hardware"),
        ({"prec": "fp3"}, "data type 'fp3'"),
        ({"value": {"n": 10, "latency_us": 5}}, "no k"),
        ({"value": {"m": 0, "n": 10, "k": 10, "latency_us": 5}}, "m is not"),
        ({"value": {"m": "x", "n": 10, "k": 10, "latency_us": 5}}, "m is not"),
        ({"value": {"m": 1e300, "n": 1e300, "k": 10, "latency_us": 5}}, "beyond|bound"),
        ({"value": {"m": 5, "n": 10, "k": 10}}, "no latency or duration"),
    ],
)
def test_what_cannot_be_expressed_says_why(fields, why):
    base = {"area": "kernel_gemm", "what": "GEMM", "prec": "bf16"}
    base["value"] = {"m": 5, "n": 10, "k": 10, "latency_us": 5}
    with pytest.raises((NotExpressed, Unusable), match=why):
        cases_of(row(**(base | fields)), DEVICES)


def test_a_time_below_the_peaks_is_a_contradiction():
    value = {"m": 4096, "n": 7168, "k": 16384, "latency_us": 900}
    with pytest.raises(Unusable, match=r"900 us is below the bound of 972\.4 us"):
        cases_of(row("kernel_gemm", "GEMM", prec="bf16", value=value), DEVICES)


def test_what_fits_a_cache_may_be_faster_than_memory():
    value = {"m": 1, "n": 1536, "k": 7168, "latency_us": 5}  # 22 MB: 6.6 us from memory
    assert cases_of(row("kernel_gemm", "GEMM", prec="bf16", value=value), DEVICES)

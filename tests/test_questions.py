"""Questions that a reader of arXiv:2505.09343 asks, each as one query, with its right value.

Values are those of the papers, or follow by hand from figures that they print. What has no closed
form is not here: the page ``docs/explanation/the-paper.md`` names it. The rate of question 17 is
one of the four that its two parameters are fitted to: it checks the fit, and predicts nothing.
"""

import pytest

import dsv3calc

_EP = "limits ep deepseek-v3 --hardware h800"
_PAPER = f"{_EP} --convention isca25"
_TRAFFIC = "traffic deepseek-v3 --layout v3-pretrain --hardware h800"
_SERVED = "memory deepseek-v3 --serve --layout day6-decode-ep144 --hardware h800"
_FAILURES = "failures deepseek-v3 --layout v3-pretrain --hardware h800"
_RELOAD = "host deepseek-v3 --hardware h800 --prefill-rate 32200"
_EXPERTS = "host deepseek-v3 --hardware rtx-4090 --precision q4-k"
_BUILT = "network mpft --radix 64 --endpoints 2048 --planes 8"
_RATE = "limits.ep.tokens_per_second"

QUESTIONS = (
    # number of the question, section, query, line, value, relative tolerance
    (1, "2.1", "kv deepseek-v3", "kv_cache.bytes_per_token", 70_272, 0),
    (1, "2.1", "kv qwen2.5-72b", "kv_cache.bytes_per_token", 327_680, 0),
    (1, "2.1", "kv llama-3.1-405b", "kv_cache.bytes_per_token", 516_096, 0),
    (3, "2.1", f"{_SERVED} --context 5000 --batch 88", "serving.max_sequences", 142, 0),
    (4, "2.1", "kv deepseek-v3 --context 131072 --kv-dtype int4 --fit 40GiB",
     "kv_cache.fit.sequences", 17, 0),
    (5, "2.1", ("kv qwen2.5-72b --context 32768 --set groups.0.attention.span=sliding "
     "--set groups.0.attention.sliding_window=4096"), "kv_cache.bytes", 1.25 * 2**30, 0),
    (11, "2.1.2", "flops deepseek-v3 --phase prefill --seq 1024 --context 31744",
     "flops.total", 240e12, 1e-3),
    (12, "2.1.2", _RELOAD, "host.cache.break_even_bandwidth", 2.26e9, 2e-3),
    (13, "2.2.1", "flops deepseek-v3 --convention isca25-table2", "flops.per_token",
     249.8e9, 1e-4),
    (15, "2.2.1", ("formula eval training_gpu_time tokens=14.8T token_flops=249.811e9 "
     "achieved_rate=385.14e12"), "formula.training_gpu_time", 2.667e6 * 3600, 1e-3),
    (17, "2.2.2", _EXPERTS, "host.experts.tokens_per_second.estimate", 12.208, 1e-2),
    (18, "2.2.2", f"{_EXPERTS} --set hardware.host.peaks.bf16=73TFLOPS",
     "host.experts.prefill_tokens_per_second.bf16", 73e12 / (2 * 58 * 8 * 44_040_192), 1e-9),
    (21, "2.2.2", "formula eval cost_per_million_tokens cost=10000 total_tokens=1e9",
     "formula.cost_per_million_tokens", 10, 0),
    (24, "2.3.2", _PAPER, "limits.ep.all_to_all_time", 120.96e-6, 1e-9),
    (24, "2.3.2", _PAPER, "limits.ep.tpot", 14.76e-3, 1e-3),
    (25, "2.3.2", ("limits ep deepseek-v3 --hardware gb200-nvl72 --link scale-up "
     "--convention isca25"), _RATE, 1_220, 1e-3),
    (26, "2.3.2", f"{_EP} --network infiniband-ndr", _RATE, 65.0, 1e-3),
    (26, "2.3.2", f"{_EP} --network roce", _RATE, 63.2, 1e-3),
    (29, "2.3.3", f"{_EP} --mtp-acceptance 85% --mtp-cost 2%", "limits.ep.mtp_gain",
     1.814, 1e-3),
    (37, "3.1.1", ("formula eval promotion_share peak=1978.9TFLOPS vector_peak=66.9TFLOPS "
     "promotion_group=128"), "formula.promotion_share", 0.23, 1e-2),
    (40, "3.2", "formula eval logfmt_error octave_step=0.254", "formula.logfmt_error",
     0.0878, 1e-3),
    (41, "3.2", f"{_EP} --combine logfmt-8", "limits.ep.all_to_all_time", 85.16e-6, 1e-4),
    (41, "3.2", f"{_EP} --combine logfmt-8", "limits.ep.tpot", 9.88e-3, 1e-3),
    (42, "3.2.1", "formula eval codec_factor transfer_ratio=0.5 codec_overhead=1",
     "formula.codec_factor", 1, 0),
    (45, "4.2", "memory deepseek-v3 --layout v3-pretrain --hardware h800",
     "memory.worst.total", 69.31 * 2**30, 1e-4),
    (46, "4.3", _TRAFFIC, "traffic.copies_on_link.scale_out", 3.46, 2e-3),
    (50, "4.5", f"{_PAPER} --host-traffic 13GB/s", "limits.ep.tpot", 14.76e-3, 1e-3),
    (50, "4.5", f"{_PAPER} --host-traffic 30GB/s", "limits.ep.tpot", 22.35e-3, 1e-3),
    (51, "4.5.2", "host deepseek-v3 --hardware h800 --layout v3-pretrain --compute-time 1s",
     "host.states.optimizer.exposed", 0, 0),
    (53, "5.1", _BUILT, "network.switches", 96, 0),
    (53, "5.1", _BUILT, "network.links", 2_048, 0),
    (53, "5.1", _BUILT, "network.cost", 8.98e6, 1e-3),
    (55, "5.1", "network mpft --radix 256 --planes 4 --every-plane", "network.endpoints",
     32_768, 0),
    (55, "5.1", "network mpft --radix 256 --planes 4 --every-plane", "network.switches",
     1_536, 0),
    (56, "5.1.1", f"{_TRAFFIC} --forwarding per-gpu --planes 8",
     "traffic.plane_changes_per_token", 6.55 * 7 / 8, 2e-3),
    (58, "6.1", f"{_BUILT} --planes-down 1", "network.lost_plane_factor", 8 / 7, 1e-12),
    (62, "5.2.2", f"{_BUILT} --flows 8", "network.ecmp_mean_share",
     32 / 8 * (1 - (31 / 32) ** 8), 1e-12),
    (63, "5.2.3", _PAPER, "limits.ep.messages_per_second", 2 * 32 * 9 / 120.96e-6, 1e-9),
    (64, "6.1", _FAILURES, "failures.gpu_hours_per_interruption",
     16_384 * 54 * 24 / 419, 1e-12),
    (65, "6.1", _FAILURES, "failures.checkpoint_seconds",
     671_026_419_200 * 8 / (256 * 50e9), 1e-3),
    (66, "6.1", f"{_FAILURES} --gpu-hours 2664000", "failures.silent_corruptions",
     2.664e6 / (16_384 * 54 * 24 / 6), 1e-2),
    (67, "6.2", ("formula eval pcie_bandwidth lanes=160 lane_bandwidth=4GB/s data_bits=128 "
     "line_bits=130"), "formula.pcie_bandwidth", 630.2e9, 1e-3),
    (68, "6.4", ("limits ep deepseek-v3 --hardware gb200-nvl72 --link scale-up "
     "--latency 3.33us"), "limits.ep.tpot", 1.58e-3, 3e-2),
    (69, "6.5", f"{_TRAFFIC} --in-network", "traffic.in_network_share", 0.758, 2e-3),
)  # fmt: skip


@pytest.mark.parametrize(
    ("query", "line", "value", "tolerance"),
    [row[2:] for row in QUESTIONS],
    ids=[f"{number}-{section}-{line}" for number, section, _, line, *_ in QUESTIONS],
)
def test_the_answer_is_right(query, line, value, tolerance):
    found = dsv3calc.query(query)[line]
    assert found == (value if tolerance == 0 else pytest.approx(value, rel=tolerance))

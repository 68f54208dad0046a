"""Rows of the glossary: devices, their hosts and links."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.symbols.symbol import Symbol, real

BY_SUBJECT: dict[str, dict[str, Symbol]] = {
    "Hardware": {
        "peaks": real(r"\pi_\mathrm{dtype}", "FLOP/s", "dense peaks of one device, by data type"),
        "sparse_peaks": real(
            r"\pi_\mathrm{sparse}", "FLOP/s", "structured-sparse peaks, by data type; never used"
        ),
        "peak": real(r"\pi", "FLOP/s", "dense peak of one device for one data type"),
        "bandwidth": real(r"\beta", "B/s", "nominal memory bandwidth of one device"),
        "marketed": Symbol(r"M_\mathrm{sold}", "B", "device memory as sold"),
        "usable": Symbol("M", "B", "device memory that the driver reports"),
        "nominal": real(
            r"\beta_\mathrm{link}", "B/s", "nominal bandwidth of a link, per direction"
        ),
        "achieved": real(
            r"\beta_\mathrm{meas}", "B/s", "measured bandwidth of a link, per direction"
        ),
        "domain_size": Symbol(r"n_\mathrm{dom}", "1", "devices in one domain of a link"),
        "fp16_accumulate_peaks": real(
            r"\pi_\mathrm{fp16acc}", "FLOP/s", "dense peaks with FP16 accumulation; never used"
        ),
        "node_size": Symbol(r"n_\mathrm{node}", "1", "devices per host"),
        "power": real(r"P_\mathrm{W}", "W", "power limit of one device"),
        "dram_capacity": Symbol(r"M_\mathrm{host}", "B", "memory of one host"),
        "dram_bandwidth": real(r"\beta_\mathrm{host}", "B/s", "memory bandwidth of one host"),
        "capacity": Symbol(r"M_\mathrm{disk}", "B", "storage of one host"),
        "host_bytes": real(r"B_\mathrm{host}", "B", "bytes that the CPUs read from host memory"),
        "dram_share": real(
            r"s_\mathrm{dram}", "ratio", "share of the host's memory bandwidth that is reached"
        ),
        "device_seconds": real(
            r"t_\mathrm{gpu}", "s", "time per token on the device, without the experts on the host"
        ),
        "token_cache_bytes": real(r"B_\mathrm{tok}", "B/token", "KV-cache bytes per token"),
        "node_prefill_rate": real(
            r"R_\mathrm{pre}", "tokens/s", "prefilled tokens per second and node"
        ),
        "link_copies": real(r"M_\mathrm{copy}", "1", "copies per token that cross a link"),
        "dispatch_bytes": real(r"b_\mathrm{disp}", "B", "bytes per dispatched copy"),
        "combine_bytes": real(r"b_\mathrm{comb}", "B", "bytes per combined copy"),
        "transfer_ratio": real(
            r"s_\mathrm{code}",
            "ratio",
            "bytes in a compressed format divided by those in the plain format",
        ),
        "codec_overhead": real(
            r"o_\mathrm{code}",
            "ratio",
            "time of encoding and decoding divided by the time of the compressed transfer",
        ),
        "vector_peak": real(r"\pi_\mathrm{vec}", "FLOP/s", "FP32 peak of the vector units"),
        "promotion_group": Symbol(
            r"g_\mathrm{K}", "1", "elements per partial sum before it is added in FP32"
        ),
        "retention_seconds": real(r"t_\mathrm{keep}", "s", "time for which a cache is kept"),
        "nic_bandwidth": real(r"\beta_\mathrm{nic}", "B/s", "bandwidth of a NIC"),
        "host_lane_bandwidth": real(
            r"\beta_\mathrm{pcie}", "B/s", "bandwidth of the link between host and device"
        ),
        "host_traffic": real(
            r"\beta_\mathrm{other}", "B/s", "other traffic on a device's host link, beside its NIC"
        ),
        "dollars_per_hour": real(r"p_\mathrm{h}", "USD/h", "price per device-hour"),
        "pue": real(
            r"f_\mathrm{PUE}",
            "ratio",
            "power usage effectiveness: power of the site divided by that of its devices",
        ),
    },
    "Roofline": {
        "moved": real("Q", "B", "bytes read from and written to device memory"),
        "compute_seconds": real("t_c", "s", "time of the FLOPs at peak rates"),
    },
}

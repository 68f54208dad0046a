"""Rows of the glossary: networks."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.symbols.symbol import Symbol, real

BY_SUBJECT: dict[str, dict[str, Symbol]] = {
    "Networks": {
        "radix": Symbol(r"k_\mathrm{sw}", "1", "ports of a switch"),
        "tiers": Symbol(r"n_\mathrm{tier}", "1", "switch layers of a fat tree"),
        "planes": Symbol(r"n_\mathrm{plane}", "1", "parallel fat trees"),
        "planes_down": Symbol(
            r"n_\mathrm{down}", "1", "planes, or ports of a NIC, that are down", least=0
        ),
        "down_parts": Symbol(
            r"o_\mathrm{d}", "1", "downlinks of a leaf in the oversubscription ratio"
        ),
        "up_parts": Symbol(r"o_\mathrm{u}", "1", "uplinks of a leaf in the oversubscription ratio"),
        "leaf_ports": Symbol(r"d_\mathrm{leaf}", "1", "ports of a leaf switch that face endpoints"),
        "leaves": Symbol(r"n_\mathrm{leaf}", "1", "leaf switches per plane"),
        "uplinks": Symbol(r"L_\mathrm{up}", "1", "links between one switch tier and the next"),
        "ports": Symbol(r"k_\mathrm{below}", "1", "ports of a switch that face down"),
        "spread_planes": Symbol(
            r"n_\mathrm{spread}", "1", "planes over which the endpoints are spread"
        ),
        "flows": Symbol(r"n_\mathrm{flow}", "1", "flows, each at the full rate of a path"),
        "paths": Symbol(r"m_\mathrm{path}", "1", "equal-cost paths"),
        "q": Symbol(r"q_\mathrm{sf}", "1", "order of the finite field of a Slim Fly"),
        "network_radix": Symbol(
            r"k_\mathrm{net}", "1", "ports of a switch that face other switches"
        ),
        "group_switches": Symbol("a", "1", "switches per Dragonfly group"),
        "global_ports": Symbol(
            r"h_\mathrm{sw}", "1", "ports of a Dragonfly switch that face other groups"
        ),
        "switch_groups": Symbol(r"g_\mathrm{sw}", "1", "groups of a Dragonfly"),
        "endpoints": Symbol(
            r"N_\mathrm{end}", "1", "endpoints of a network, or ranks that take part"
        ),
        "bisection_links": real(
            r"C_\mathrm{cut}", "1", "switch-to-switch links across the bisection"
        ),
        "bandwidth_nominal": real(
            r"\beta_\mathrm{net}", "B/s", "nominal bandwidth per endpoint and direction"
        ),
        "logical": real(
            r"\beta_\mathrm{log}", "B/s", "measured bandwidth, bytes within the node included"
        ),
        "physical": real(r"\beta_\mathrm{phys}", "B/s", "the part of it that crosses the network"),
        "latency_same_leaf": real(
            r"t_\mathrm{leaf}", "s", "latency of a small message under one leaf switch"
        ),
        "latency_cross_leaf": real(
            r"t_\mathrm{cross}", "s", "latency of a small message between leaf switches"
        ),
        "hops": Symbol(r"n_\mathrm{hop}", "1", "switch-to-switch links on a path", least=0),
        "switch_price": real(r"p_\mathrm{sw}", "USD", "price of a switch"),
        "link_price": real(r"p_\mathrm{link}", "USD", "price of a switch-to-switch link"),
    },
}

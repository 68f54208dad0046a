"""What ``traffic``, ``limits ep`` and ``network`` count in several ways: the named choices."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.accounting.traffic.collectives import GRADIENT_REDUCTION, MLA_CONTEXT
from dsv3calc.accounting.traffic.exchange import FORWARDING
from dsv3calc.accounting.traffic.limits_ep import CONVENTIONS
from dsv3calc.accounting.traffic.transfer_formats import FORMATS

TRAFFIC_CHOICES: dict[str, tuple[str, dict[str, str]]] = {
    "ep_limit": ("limits ep --convention", CONVENTIONS),
    "bandwidth": (
        "limits ep --bandwidth",
        {
            "nominal": "the link's data-sheet bandwidth, per direction",
            "achieved": "the measured bandwidth; traffic shows both if it is known",
        },
    ),
    "routing_policy": (
        "traffic --policy",
        {
            "model": "group-limited where the model limits a token's groups, else unrestricted",
            "unrestricted": "every set of a token's experts is equally likely",
            "random-groups": "topk_group random groups, then any experts inside them",
            "group-limited": "the model's rule: the groups with the best scores, then the best "
            "experts inside them",
        },
    ),
    "group_score": (
        "traffic --group-score",
        {
            "model": "top2-sum where the router has a balancing bias, else max",
            "top2-sum": "the sum of the two best scores of a group, as in DeepSeek-V3",
            "top-k-over-m-sum": "the sum of its best num_experts_per_tok / topk_group, as the "
            "report of DeepSeek-V3 words it",
            "max": "the best score, as in DeepSeek-V2",
        },
    ),
    "score_law": (
        "traffic --score-distribution",
        {
            "uniform": "router scores are independent and uniform",
            "sigmoid-normal": "independent sigmoids of standard normals",
            "exponential": "independent and exponential",
        },
    ),
    "forwarding": ("traffic --forwarding", FORWARDING),
    "shared_experts": (
        "traffic, memory --shared-experts",
        {
            "local": "shared experts are computed where the token is, divided over tp",
            "replicated": "computed where the token is, replicated on every GPU",
            "routed": "dispatched like one more routed expert",
        },
    ),
    "transfer_format": (
        "traffic, limits ep --dispatch, --combine",
        {name: form.title for name, form in FORMATS.items()},
    ),
    "collective_algorithm": (
        "traffic --algorithm",
        {
            "ring": "one ring per GPU that a group has in a node, each over a different NIC",
            "tree": "an all-reduce by a chain in the node and a double binary tree between "
            "nodes; other collectives are rings",
            "hierarchical": "inside the node, then each shard between nodes, one after the other",
            "switch-reduced": "all-reduce with reduction in the switches; other collectives are "
            "hierarchical with their two phases overlapped",
        },
    ),
    "mla_context": ("traffic --mla-context", MLA_CONTEXT),
    "gradient_reduction": ("traffic --gradient-reduction", GRADIENT_REDUCTION),
    "network_size": (
        "network --variant",
        {
            "canonical": "the sizes of the topologies' closed forms",
            "published": "Slim Fly of q = 28 and Dragonfly of 511 groups, which give the counts of "
            "Table 3 of arXiv:2505.09343",
            "both": "both, side by side",
        },
    ),
}
"""Convention -> its option and its choices in words; the default comes first.

Formats have none: dispatch follows the precision, combine is in BF16. From ZeRO 2 on gradients are
reduced in every micro-batch by default.
"""

WITHOUT_DEFAULT = ("transfer_format",)

"""What ``traffic``, ``limits ep`` and ``network`` count in several ways: the named choices."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.accounting.collectives import GRADIENT_REDUCTION, MLA_CONTEXT
from dsv3calc.accounting.exchange import FORWARDING
from dsv3calc.accounting.limits_ep import CONVENTIONS
from dsv3calc.accounting.transfer_formats import FORMATS

TRAFFIC_CHOICES: dict[str, tuple[str, dict[str, str]]] = {
    "ep_limit": ("limits ep --convention", CONVENTIONS),
    "bandwidth": (
        "limits ep --bandwidth",
        {
            "nominal": "what the link is sold as, in one direction",
            "achieved": "what was measured on it; traffic shows both, where it is known",
        },
    ),
    "routing_policy": (
        "traffic --policy",
        {
            "model": "group-limited where the model limits a token's groups, else unrestricted",
            "unrestricted": "every set of a token's experts is equally likely",
            "random-groups": "topk_group groups are drawn at random, then any experts inside them",
            "group-limited": "the model's rule: the groups of best score, then the best experts "
            "inside them",
        },
    ),
    "group_score": (
        "traffic --group-score",
        {
            "model": "top2-sum where the router has a balancing bias, else max",
            "top2-sum": "a group is worth the sum of its two best scores, as in DeepSeek-V3",
            "top-k-over-m-sum": "the sum of its best num_experts_per_tok / topk_group, as the "
            "report of DeepSeek-V3 words it",
            "max": "its best score, as in DeepSeek-V2",
        },
    ),
    "score_law": (
        "traffic --law",
        {
            "uniform": "scores of a token's experts are independent and uniform",
            "sigmoid-normal": "independent sigmoids of standard normals",
            "exponential": "independent and exponential",
        },
    ),
    "forwarding": ("traffic --forwarding", FORWARDING),
    "shared_experts": (
        "traffic, memory --shared-experts",
        {
            "local": "shared experts are computed where the token is, divided over tp",
            "replicated": "the same, whole on every GPU",
            "routed": "they are dispatched to like one more routed expert",
        },
    ),
    "transfer_format": (
        "traffic, limits ep --dispatch, --combine",
        {name: form.title for name, form in FORMATS.items()},
    ),
    "collective_algorithm": (
        "traffic --algorithm",
        {
            "ring": "as many rings as a group has members in a node, each leaving it by another",
            "tree": "an all-reduce by a chain in the node and a double binary tree between "
            "nodes; other collectives are rings",
            "hierarchical": "in the node, then each share between nodes, one after the other",
            "switch-reduced": "an all-reduce is added up in the switches; others are hierarchical, "
            "their two phases overlapped",
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
            "both": "one beside the other",
        },
    ),
}
"""Convention -> its option and its choices in words; the default comes first.

Formats have none: dispatch follows the precision, combine is in BF16. From ZeRO 2 on gradients are
reduced in every micro-batch by default.
"""

WITHOUT_DEFAULT = ("transfer_format",)

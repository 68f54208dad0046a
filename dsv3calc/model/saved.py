"""What a forward pass saves for its backward pass, and what drops it.

Modules that are recomputed bear Megatron-Core's names, but for ``mlp_act``, which it lacks. What
one drops is what its backward pass alone reads; its input stays. ``full`` keeps a layer's input
and nothing else of it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.ledger.line import given

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recompute

MODULES = {
    "full": "everything but the input of each layer",
    "core_attn": "scores, softmax and their product with the values",
    "layernorm": "outputs of the norms before attention and feed-forward",
    "mla_up_proj": "MLA's queries, keys and values, from the latents, with the latents' norms",
    "mlp_act": "outputs of the activation function in dense feed-forwards and shared experts",
    "moe_act": "outputs of the activation function in routed experts",
    "mlp": "dense feed-forwards, from their input",
    "moe": "layers of experts, routing and exchange included, from their input",
    "shared_experts": "shared experts, from their input",
}
"""What can be recomputed: name -> words."""

FP32 = given("activation.fp32_bits", 32, "bit")
BF16 = given("activation.bf16_bits", 16, "bit")
BYTE = given("activation.byte_bits", 8, "bit")
INT64 = given("activation.int64_bits", 64, "bit")
DTYPES = {FP32.name: "FP32", BF16.name: "BF16", BYTE.name: "a byte", INT64.name: "INT64"}
"""Name of a width -> data type in words."""

SHARED = "kept once for"
"""What the convention of an activation says before those that share it."""


class Saving:
    """What decides which tensors are saved.

    ``recompute`` is the policy, whose choices of kernels count here; ``layout`` says what stands
    whole on every GPU; ``sequence`` are the tokens of a sequence. ``separate_output`` is 1 where
    attention's output is kept before an exchange too, 0 where it is not, None where none could be.
    """

    __slots__ = ("layout", "recompute", "separate_output", "sequence")

    def __init__(
        self,
        recompute: Recompute,
        layout: Layout,
        sequence: Line,
        separate_output: Line | None = None,
    ) -> None:
        self.recompute = recompute
        self.layout = layout
        self.sequence = sequence
        self.separate_output = separate_output


class Activation:
    """One tensor that is kept: its width for a token, its place, and what makes it needless.

    ``place`` says how it is divided: ``block`` between blocks (over cp, and tp under sequence
    parallelism), ``whole`` over cp alone, ``split`` inside blocks (over cp and tp), ``key_value``
    like that but no further than there are heads, ``rows`` for what an expert receives,
    ``row_split`` for that over etp.
    ``dropped_by`` lists modules; ``needed_by`` the one that reads it when it is recomputed, where
    nothing else does. ``linear_input`` marks what a matrix is multiplied with, ``shared_by`` says
    who else reads it where several do: it is kept once. ``checkpoint`` marks what full
    recomputation keeps: inputs of layers and MTP modules, and all outside of layers. ``carried``
    marks what context parallelism brings from other GPUs. ``operation`` names the operation whose
    output it is, where a policy may save it by that name.
    """

    __slots__ = (
        "bits",
        "carried",
        "checkpoint",
        "dropped_by",
        "linear_input",
        "name",
        "needed_by",
        "operation",
        "place",
        "shared_by",
        "width",
    )

    def __init__(
        self,
        name: str,
        width: Line,
        place: str,
        dropped_by: str = "",
        *,
        bits: Line = BF16,
        linear_input: bool = False,
        needed_by: str = "",
        shared_by: str = "",
        checkpoint: bool = False,
        carried: bool = False,
        operation: str = "",
    ) -> None:
        self.name = name
        self.width = width
        self.place = place
        self.dropped_by = frozenset(dropped_by.split())
        self.bits = bits
        self.linear_input = linear_input
        self.needed_by = needed_by
        self.shared_by = shared_by
        self.checkpoint = checkpoint
        self.carried = carried
        self.operation = operation

    def kept(self, recompute: Recompute) -> bool:
        """Tell whether a policy keeps it from the forward to the backward pass."""
        if self.name in recompute.keep:
            return True
        if recompute.saved_operations:
            return self.checkpoint or self.operation in recompute.saved_operations
        if "full" in recompute.modules:
            return self.checkpoint
        if self.needed_by:
            return self.needed_by in recompute.modules
        return self.dropped_by.isdisjoint(recompute.modules)


class Product:
    """The output of a matrix product: its gradient is kept for a weight gradient that waits."""

    __slots__ = ("name", "place", "width")

    def __init__(self, name: str, width: Line, place: str) -> None:
        self.name = name
        self.width = width
        self.place = place

"""Rows of the glossary: memory, pipeline stages and schedules."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.symbols.symbol import Symbol, real

BY_SUBJECT: dict[str, dict[str, Symbol]] = {
    "Memory": {
        "virtual_stages": Symbol(r"P_\mathrm{stage}", "1", "stages over which layers are divided"),
        "stage_layers": Symbol(
            r"\ell_\mathrm{least}", "1", "smallest number of layers per stage", 0
        ),
        "longer_stages": Symbol(
            r"n_\mathrm{longer}", "1", "stages with one more layer than the others", 0
        ),
        "leading": Symbol(
            r"u_\mathrm{emb}", "1", "layers that the embedding counts as when layers are divided", 0
        ),
        "trailing": Symbol(
            r"u_\mathrm{head}", "1", "layers that the head counts as when layers are divided", 0
        ),
        "first_layer": Symbol(r"i_\mathrm{a}", "1", "first layer of a stage, from 0", 0),
        "last_layer": Symbol(r"i_\mathrm{b}", "1", "layer after the last one of a stage", 0),
        "place": Symbol(
            r"x_\mathrm{place}", "1", "stage that holds a part of the model, from 0", 0
        ),
        "amount_here": Symbol(r"n_\mathrm{here}", "1", "number of instances on a rank", 0),
        "shared_slots": Symbol(
            r"n_\mathrm{shared}", "1", "shared experts that use slots like routed experts", 0
        ),
        "multiple": Symbol(
            r"n_\mathrm{mult}", "1", "multiple to which a GPU's rows of the vocabulary are padded"
        ),
        "divisor": Symbol(r"n_\mathrm{div}", "1", "GPUs over which a tensor is divided"),
        "experts_per_token": Symbol(r"k_\mathrm{sent}", "1", "experts that a token is sent to"),
        "total_bytes": real(r"B_\mathrm{full}", "B", "bytes on the fullest GPU"),
        "copy_bytes": Symbol(r"B_\mathrm{row}", "B", "bytes of one copy of a hidden state"),
        "gradient_bits": Symbol(r"b_\mathrm{grad}", "bit", "width of a gradient", 0),
        "master_bits": Symbol(r"b_\mathrm{master}", "bit", "width of a master weight; 0: none", 0),
        "first_moment_bits": Symbol(r"b_m", "bit", "width of the first moment", 0),
        "newton_schulz_steps": Symbol(r"n_\mathrm{NS}", "1", "Newton-Schulz steps per update"),
        "second_moment_bits": Symbol(r"b_v", "bit", "width of Adam's second moment", 0),
        "driver_context": Symbol(r"B_\mathrm{ctx}", "B", "memory of the driver context"),
        "workspace": Symbol(r"B_\mathrm{work}", "B", "workspace of the matrix library"),
        "communication": Symbol(r"B_\mathrm{comm}", "B", "communication buffers"),
        "bucket": Symbol(r"N_\mathrm{bucket}", "elements", "gradients per reduction", 0),
        "fragmentation": real(
            r"f_\mathrm{frag}", "ratio", "share of activations lost to fragmentation"
        ),
        "allowance": real(
            r"f_\mathrm{res}",
            "ratio",
            "reserved bytes beyond the allocated ones, as a share of these",
        ),
        "loss_chunk": Symbol(r"T_\mathrm{loss}", "tokens", "tokens per chunk of the loss"),
        "living_logits": Symbol(
            r"n_\mathrm{logits}", "1", "micro-batches whose logits a rank holds", 0
        ),
        "kept_logits": real(
            r"B_\mathrm{logits}", "B", "logits saved per micro-batch for their gradient"
        ),
        "head_bytes": real(r"B_\mathrm{head}", "B", "memory of loss and head of one micro-batch"),
        "layer_bytes": real(r"B_\mathrm{layer}", "B", "temporary memory of one layer"),
        "part_bytes": real(r"B_\mathrm{part}", "B", "one part of the temporary memory of a layer"),
        "reserved": Symbol(
            r"B_\mathrm{leave}", "B", "bytes that a server keeps free on a device", 0
        ),
        "reserved_per_token": Symbol(
            r"B_\mathrm{leave,t}", "B", "bytes that a server keeps free per token of a pass", 0
        ),
        "reserved_per_gpu": Symbol(
            r"B_\mathrm{leave,g}", "B", "bytes that a server keeps free per GPU of a replica", 0
        ),
        "sampled_sequences": Symbol(
            r"n_\mathrm{samp}",
            "1",
            "sequences in the sampler when an engine profiles its memory",
            0,
        ),
        "logit_bits": Symbol(
            r"b_\mathrm{logit}", "bit", "bits per logit in a sampler, copies included", 0
        ),
        "pass_tokens": Symbol(r"T_\mathrm{pass}", "tokens", "tokens per pass of a server"),
        "shape_rows": Symbol(r"r_\mathrm{w}", "elements", "rows of a matrix on a GPU"),
        "shape_columns": Symbol(r"c_\mathrm{w}", "elements", "columns of a matrix on a GPU"),
        "other_rows": Symbol(r"r_\mathrm{w}'", "elements", "rows of another matrix on a GPU"),
        "other_columns": Symbol(r"c_\mathrm{w}'", "elements", "columns of another matrix on a GPU"),
        "across": Symbol(r"d_\mathrm{across}", "elements", "dimension that is not divided"),
        "block": Symbol(r"d_\mathrm{block}", "elements", "elements per quantisation block"),
        "undivided": Symbol(
            r"n_\mathrm{und}", "1", "tensors whose parts are not whole quantisation blocks", 0
        ),
        "stored_bytes": real(r"B_\mathrm{stored}", "B", "bytes of weights as stored"),
        "graphs": Symbol(r"B_\mathrm{graph}", "B", "bytes of captured graphs", 0),
        "repacked": real(
            r"f_\mathrm{rep}",
            "ratio",
            "bytes of a copy of weights in kernel order, divided by those of the weights",
        ),
        "device_memory": Symbol(r"B_\mathrm{sold}", "B", "memory of a device as sold", 0),
        "moe_dp": Symbol(r"n_\mathrm{mdp}", "1", "data parallelism of the experts in an engine"),
        "sustained": real(
            r"\kappa",
            "ratio",
            "time of matrix products in a run divided by that of isolated kernels",
        ),
        "sustained_narrow": real(
            r"\kappa_8", "ratio", "the same for products in 8 bits or fewer, if it differs"
        ),
        "weight_gradients": real(
            r"f_\mathrm{wgrad}",
            "ratio",
            "rate of weight-gradient products divided by that of forward products",
        ),
        "first_token": real(
            r"t_\mathrm{first}", "s", "host time before the first token of a request"
        ),
        "host_gap": real(r"t_\mathrm{host}", "s", "host time per kernel"),
        "launch_factor": real(
            r"f_\mathrm{launch}",
            "ratio",
            "launch overheads in a run divided by those of isolated kernels",
        ),
        "pool": real(r"B_\mathrm{free,kv}", "B", "bytes available for the cache"),
        "memory_share": Symbol(
            r"f_\mathrm{ppm}", "1", "millionths of a device's memory that a server uses"
        ),
        "budget": real(r"B_\mathrm{max}", "B", "bytes of a device that a server may use"),
        "weight_bytes": real(r"B_\mathrm{w}", "B", "bytes of weights on a GPU"),
        "buffer_bytes": real(r"B_\mathrm{b}", "B", "bytes on a GPU other than weights and cache"),
        "memory_fraction": real(
            r"f_\mathrm{mem}", "ratio", "share of a device's memory that a server uses"
        ),
        "embedding_stage": Symbol(r"x_\mathrm{emb}", "1", "stage with the embedding", 0),
        "head_stage": Symbol(r"x_\mathrm{head}", "1", "stage with the head", 0),
        "mtp_stage": Symbol(r"x_\mathrm{mtp}", "1", "stage with the MTP modules", 0),
        "layer_split": Symbol(r"\ell_\mathrm{split}", "1", "layers per stage", 0),
    },
    "Pipeline schedules": {
        "rank": Symbol(r"r_\mathrm{pp}", "1", "pipeline rank, from 0", 0),
        "stage": Symbol(r"i_\mathrm{stage}", "1", "virtual pipeline stage, from 0", 0),
        "model_chunk": Symbol(r"c_\mathrm{pp}", "1", "layer chunk of a pipeline rank, from 0", 0),
        "micro_batches": Symbol(
            r"n_\mathrm{micro}", "1", "micro-batches per replica and training step"
        ),
        "behind": Symbol(
            r"n_\mathrm{behind}", "1", "1 for the chunk whose forward pass comes next, else 0", 0
        ),
        "warm_up": Symbol(
            r"n_\mathrm{warm}", "1", "forward passes of a rank before its first backward pass"
        ),
        "turn": Symbol(r"j_\mathrm{turn}", "1", "changes of chunk, from 0", 0),
        "forwards": Symbol(r"n_\mathrm{fwd}", "1", "finished forward passes of chunks", 0),
        "backwards": Symbol(r"n_\mathrm{bwd}", "1", "finished backward passes of chunks", 0),
        "forward_seconds": real(r"t_\mathrm{f}", "s", "forward time of a micro-batch on a rank"),
        "backward_seconds": real(
            r"t_\mathrm{b}",
            "s",
            "backward time of a micro-batch on a rank, weight gradients included",
        ),
        "weight_seconds": real(
            r"t_\mathrm{w}", "s", "the part of the backward time for weight gradients"
        ),
        "overlapped_pair_seconds": real(
            r"t_{fb}", "s", "time of an overlapped forward and backward pass"
        ),
    },
}

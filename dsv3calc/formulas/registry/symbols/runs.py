"""Rows of the glossary: training runs, serving, and their prices."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.symbols.symbol import Symbol, real

BY_SUBJECT: dict[str, dict[str, Symbol]] = {
    "Training runs": {
        "token_flops": real("F_T", "FLOP/token", "FLOPs per trained token"),
        "step_seconds": real(r"t_\mathrm{step}", "s", "time of a training step"),
        "job_gpus": Symbol(r"G_\mathrm{job}", "1", "GPUs of a training job"),
        "observed_seconds": real(
            r"t_\mathrm{seen}", "s", "observation time in which events of a job were counted"
        ),
        "events": Symbol(r"n_\mathrm{event}", "1", "counted events"),
        "event_gpu_time": real(r"H_\mathrm{ev}", "s", "mean GPU time per event"),
        "interruptions": Symbol(r"n_\mathrm{int}", "1", "unplanned interruptions of a job"),
        "silent_corruptions": Symbol(
            r"n_\mathrm{silent}", "1", "interruptions by silent data corruption", 0
        ),
        "days": Symbol(r"n_\mathrm{day}", "1", "observation time of a job in days"),
        "mtbf": real(r"t_\mathrm{fail}", "s", "mean time between interruptions of a job"),
        "checkpoint_bytes": real(r"B_\mathrm{ckpt}", "B", "bytes of a checkpoint"),
        "writers": Symbol(r"n_\mathrm{writer}", "1", "nodes that write a checkpoint"),
        "storage_bandwidth": real(
            r"\beta_\mathrm{store}", "B/s", "bandwidth from a node to the storage"
        ),
        "checkpoint_seconds": real(
            r"t_\mathrm{ckpt}", "s", "time for which a checkpoint blocks training"
        ),
        "interval_seconds": real(r"\tau", "s", "interval between checkpoints"),
        "restart_seconds": real(
            r"t_\mathrm{restart}", "s", "time from an interruption until training resumes"
        ),
        "achieved_rate": real(r"\pi_\mathrm{got}", "FLOP/s", "FLOP/s that one GPU achieves"),
        "achieved_peak": real(
            r"\pi_\mathrm{fast}", "FLOP/s", "dense peak for the narrower of two data types"
        ),
        "forward_phase": real(r"t_\mathrm{1F}", "s", "time of forward passes without overlap"),
        "backward_phase": real(r"t_\mathrm{1B}", "s", "time of backward passes without overlap"),
        "weight_phase": real(r"t_\mathrm{1W}", "s", "time of separate weight-gradient passes"),
        "paired_phase": real(
            r"t_\mathrm{1F1B}", "s", "time of overlapped forward and backward passes"
        ),
        "bubble_phase": real(r"t_\mathrm{idle}", "s", "idle time of a pipeline rank"),
        "optimizer_phase": real(r"t_\mathrm{opt}", "s", "optimizer time of a step"),
    },
    "Time and money": {
        "gpu_time": real("H", "s", "GPU time: seconds of one GPU"),
        "pretraining_time": real(r"H_\mathrm{pre}", "s", "GPU time of pre-training"),
        "extension_time": real(r"H_\mathrm{ext}", "s", "GPU time of context extension"),
        "post_training_time": real(r"H_\mathrm{post}", "s", "GPU time of post-training"),
        "total_tokens": Symbol(r"T_\mathrm{all}", "tokens", "tokens of a whole run or day"),
        "day_tokens": Symbol(r"T_\mathrm{24h}", "tokens", "tokens of a day"),
        "constant_tokens": Symbol(
            r"T_\mathrm{const}", "tokens", "tokens at the highest learning rate", 0
        ),
        "decay_tokens": Symbol(
            r"T_\mathrm{decay}", "tokens", "tokens while the learning rate decays", 0
        ),
        "low_tokens": Symbol(
            r"T_\mathrm{low}",
            "tokens",
            "tokens at the first constant learning rate after the decay",
            0,
        ),
        "lowest_tokens": Symbol(
            r"T_\mathrm{last}", "tokens", "tokens at the last constant learning rate", 0
        ),
        "fleet_nodes": real("N_n", "1", "mean number of nodes in use"),
        "hit_tokens": Symbol(r"T_\mathrm{hit}", "tokens", "input tokens found in the KV cache", 0),
        "missed_tokens": Symbol(
            r"T_\mathrm{miss}", "tokens", "input tokens not found in the KV cache", 0
        ),
        "input_tokens": Symbol(r"T_\mathrm{in}", "tokens", "input tokens of a day", 0),
        "output_tokens": Symbol(r"T_\mathrm{out}", "tokens", "output tokens of a day", 0),
        "hit_price": real(
            r"p_\mathrm{hit}", "USD", "price of a million input tokens found in the cache"
        ),
        "missed_price": real(
            r"p_\mathrm{miss}", "USD", "price of a million input tokens not found in the cache"
        ),
        "output_price": real(r"p_\mathrm{out}", "USD", "price of a million output tokens"),
        "revenue": real(r"D_\mathrm{in}", "USD", "revenue"),
        "cost": real(r"D_\mathrm{out}", "USD", "cost"),
        "node_input_rate": real(
            r"v_\mathrm{in}", "tokens/s", "input tokens per second and prefill node"
        ),
        "node_output_rate": real(
            r"v_\mathrm{out}", "tokens/s", "output tokens per second and decode node"
        ),
        "draft_tokens": Symbol(r"k_\mathrm{draft}", "1", "drafted tokens per step", 0),
        "half_kernel_seconds": real(r"t_\mathrm{half}", "s", "kernel time of a half batch"),
        "half_exchange_seconds": real(
            r"t_\mathrm{half,comm}", "s", "communication time of a half batch"
        ),
        "batch_parts": Symbol(r"n_\mathrm{parts}", "1", "parts into which a batch is divided"),
        "pass_seconds": real(r"t_\mathrm{pass}", "s", "time of a pass through all stages"),
        "sends_seconds": real(
            r"t_\mathrm{sends}", "s", "time of the sends between stages in a pass"
        ),
        "slowest_stage_seconds": real(
            r"t_\mathrm{slow}", "s", "time of a pass on the slowest stage"
        ),
        "stage_passes": Symbol(r"n_\mathrm{round}", "1", "passes in flight over the stages"),
        "expert_gpus": Symbol(
            r"n_\mathrm{share}", "1", "GPUs whose experts work on the same tokens"
        ),
        "replica_gpus": Symbol(r"G_\mathrm{rep}", "1", "GPUs per attention replica"),
        "sending_gpus": Symbol(r"G_\mathrm{send}", "1", "GPUs per prefill replica"),
        "receiving_gpus": Symbol(r"G_\mathrm{recv}", "1", "GPUs per decode replica"),
        "transfer_seconds": real(r"t_\mathrm{send}", "s", "time to transfer a cache"),
        "prefill_seconds": real(r"t_\mathrm{pre}", "s", "time of a prefill pass"),
        "prompt_tokens": Symbol(r"T_\mathrm{prompt}", "tokens", "tokens of a prompt"),
        "response_tokens": Symbol(r"T_\mathrm{resp}", "tokens", "tokens of a response"),
        "decode_steps": Symbol(r"n_\mathrm{steps}", "1", "sequential decode steps"),
        "first_step_seconds": real(r"t_\mathrm{begin}", "s", "time of the first of several steps"),
        "last_step_seconds": real(r"t_\mathrm{end}", "s", "time of the last of several steps"),
        "prompts": Symbol(r"N_\mathrm{prompt}", "1", "prompts per reinforcement-learning step"),
        "samples": Symbol(r"n_\mathrm{resp}", "1", "responses per prompt"),
        "concurrent": Symbol(r"N_\mathrm{conc}", "1", "sequences decoded concurrently"),
        "nics": Symbol(r"n_\mathrm{nic}", "1", "NICs of an instance"),
        "hit_rate": real(r"h_\mathrm{hit}", "ratio", "share of a prompt found in the cache"),
        "gpu_rate": real(r"v_\mathrm{gpu}", "tokens/s", "tokens per second and GPU"),
        "prefill_rate": real(r"v_\mathrm{pre}", "tokens/s", "prefilled tokens per second and GPU"),
        "decode_rate": real(
            r"v_\mathrm{dec}", "tokens/s", "output tokens per second and decode GPU"
        ),
        "token_seconds": real(r"t_\mathrm{pre,tok}", "s", "prefill time per token"),
    },
    "Deployment": {
        "unit_nodes": Symbol(r"n_\mathrm{unit}", "1", "nodes per deployment unit"),
        "scale_up_bandwidth": real(
            r"\beta_\mathrm{up}", "B/s", "bandwidth of a GPU within its node, one direction"
        ),
        "scale_out_bandwidth": real(
            r"\beta_\mathrm{out}", "B/s", "bandwidth of a GPU between nodes, one direction"
        ),
        "communication_sms": Symbol(
            r"n_\mathrm{comm}", "1", "multiprocessors used for communication", 0
        ),
        "channel_sms": Symbol(r"n_\mathrm{sm}", "1", "multiprocessors per channel"),
        "lanes": Symbol(r"n_\mathrm{lane}", "1", "PCI Express lanes"),
        "lane_bandwidth": real(r"\beta_\mathrm{lane}", "B/s", "raw rate of a lane, one direction"),
        "data_bits": Symbol(r"b_\mathrm{data}", "bit", "data bits per block of a line code"),
        "line_bits": Symbol(r"b_\mathrm{line}", "bit", "transmitted bits per block of a line code"),
    },
}

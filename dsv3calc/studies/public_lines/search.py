"""Public lines of a search for layouts."""

# SPDX-License-Identifier: Apache-2.0
LINES = {
    "search": (
        ("search.space", "1", "Number of combinations of all axes."),
        ("search.candidates", "1", "Layouts that pass all rules."),
        ("search.refused", "1", "Layouts rejected by a rule, by memory or by a condition."),
        ("search.refused.COMPONENT", "1", "Layouts rejected by one rule."),
        ("search.fitting", "1", "Evaluated layouts that fit."),
        ("search.pruned", "1", "Layouts skipped by a bound: none can be among the best."),
        ("search.excess", "B", "Median excess of memory of the layouts that do not fit."),
        ("search.layouts_per_second", "1/s", "Layouts examined per second, with --timing."),
        ("search.best.N.AXIS", "1", "A degree of one of the best layouts."),
        ("search.best.N.CHOICE", "1", "Value of another axis in one of the best layouts."),
        ("search.best.N.memory", "B", "Memory of the fullest GPU of one of the best layouts."),
        ("search.best.N.traffic", "B", "Bytes per GPU and step sent between scale-up domains."),
        ("search.best.N.step_time", "s", "Time of a training step in this layout."),
        ("search.best.N.step_walk", "s", "The same, simulated pass by pass."),
        ("search.best.N.tpot", "s", "Time per output token in this layout."),
        ("search.best.N.ttft", "s", "Time to the first token in this layout."),
        (
            "search.best.N.tokens_per_second_per_gpu",
            "tokens/s",
            "Tokens per second and GPU in this layout.",
        ),
        (
            "search.best.N.dollars",
            "USD",
            "Price of a run, or of a million output tokens, in this layout.",
        ),
        ("search.why.refused", "1", "Number of reasons why the layout of --why is rejected."),
        ("search.why.memory", "B", "Memory of the fullest GPU of that layout."),
        ("search.why.traffic", "B", "Bytes per GPU and step sent between scale-up domains."),
        ("search.why.step_time", "s", "Time of a training step in this layout."),
        ("search.why.step_walk", "s", "The same, simulated pass by pass."),
        ("search.why.tpot", "s", "Time per output token in this layout."),
        ("search.why.ttft", "s", "Time to the first token in this layout."),
        (
            "search.why.tokens_per_second_per_gpu",
            "tokens/s",
            "Tokens per second and GPU in this layout.",
        ),
        (
            "search.why.dollars",
            "USD",
            "Price of a run, or of a million output tokens, in this layout.",
        ),
    ),
}
"""Commands -> name, unit and meaning of the lines that they give."""

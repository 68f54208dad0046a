"""Arguments that a formula can be called with, drawn for property tests."""

from hypothesis import strategies as st

from dsv3calc.formulas.registry.glossary import SYMBOLS


def arguments_of(formula):
    """Draw small and large values, in which small ones divide each other often."""
    small, large = st.integers(1, 12), st.integers(1, 10**6)
    drawn = {}
    for name in formula.parameters:
        least = SYMBOLS[name].least
        drawn[name] = (st.integers(least, 12) if least == 0 else small) | large
    if "tokens" in drawn:  # an exponent in one formula
        drawn["tokens"] = st.integers(1, 64)
    if "draft_tokens" in drawn:  # an exponent of the acceptance, which is not 1
        drawn["draft_tokens"] = st.integers(1, 8)
        drawn["acceptance"] = st.integers(2, 12)
    if "tiers" in drawn:  # an exponent too
        drawn["tiers"] = st.integers(1, 4)
    if formula.name == "collective_time":  # between two GPUs at least
        drawn["ranks"] = st.integers(2, 12)
    return st.fixed_dictionaries(drawn).map(sensible)


def sensible(values):
    """Keep the experts of a token among those of the layer, and planes that are down below all."""
    if "num_experts_per_tok" in values:
        # a binomial coefficient of millions over thousands has no use, and takes long
        experts = values.get("n_routed_experts", 256)
        most = experts if "slots" not in values else min(values["slots"], 64)
        values = {**values, "num_experts_per_tok": min(values["num_experts_per_tok"], most)}
    if "planes_down" in values:
        values = {**values, "planes_down": min(values["planes_down"], values["planes"] - 1)}
    return values


def called(formula, values):
    try:
        return formula.function(**values)
    except ArithmeticError:  # exact_div, where the caller promises that integers divide
        return None

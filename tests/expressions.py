"""Values of sympy expressions whose parts stand in them many times."""


def at_numbers(expression, numbers, known):
    """Return an expression with numbers for its symbols; ``known`` keeps what each part gives."""
    if expression not in known:
        parts = [at_numbers(part, numbers, known) for part in expression.args]
        value = expression.func(*parts) if parts else numbers.get(expression, expression)
        known[expression] = value
    return known[expression]

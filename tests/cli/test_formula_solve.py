"""``dsv3calc formula solve``."""

import pytest

from dsv3calc.exit_status import ExitStatus

SOLVE = ("formula", "solve")
LAYOUT = ("deepseek-v3", "--layout", "v3-pretrain")


def rows(program, *arguments):
    return program.json(*SOLVE, *arguments).data["rows"]


def value(program, *query):
    return program.json(*query).values


def test_the_longest_context_that_fits(program):
    (row,) = rows(
        program, "kv_cache.bytes <= 40GiB", "deepseek-v3", "--for", "tokens", "--want", "largest"
    )
    assert (
        row["tokens"]
        == value(program, "kv", "deepseek-v3", "--fit", "40GiB")["kv_cache.fit.tokens"]
    )
    longer = value(program, "kv", "deepseek-v3", "--tokens", row["tokens"] + 1)
    assert row["kv_cache.bytes"] <= 40 * 2**30 < longer["kv_cache.bytes"]


@pytest.mark.parametrize(
    ("name", "option"), [("batch", "--batch"), ("tokens", "--tokens"), ("page_size", "--page-size")]
)
def test_one_more_does_not_fit(program, name, option):
    given = {"--page-size": 16, "--tokens": 3000, "--batch": 3}

    def query(options):
        return ("gemma-3-27b", *(each for pair in options.items() for each in pair))

    (row,) = rows(
        program, "kv_cache.bytes < 9GB", *query(given), "--for", name, "--want", "largest"
    )
    after = value(program, "kv", *query(given | {option: row[name] + 1}))["kv_cache.bytes"]
    assert row["kv_cache.bytes"] < 9e9 <= after


def test_expert_parallelism(program):
    found = rows(program, "memory.worst.total <= 80GiB", *LAYOUT, "--for", "ep")
    assert [row["ep"] for row in found] == [32, 64, 128]
    for row in found:
        query = ("memory", *LAYOUT, "--hardware", "h800", "--ep", row["ep"])
        assert value(program, *query)["memory.worst.total"] == row["memory.worst.total"]
    (least,) = rows(
        program, "memory.worst.total <= 80GiB", *LAYOUT, "--for", "ep", "--want", "smallest"
    )
    assert least == found[0]


def test_dp_follows_or_is_held(program):
    bound = "memory.worst.total <= 80GiB"
    follows = program.json(*SOLVE, bound, *LAYOUT, "--for", "pp").data
    assert {row["pp"] for row in follows["rows"]} <= {1, 2, 4, 8, 16, 32}
    assert any("dp follows" in note for note in follows["notes"])
    (held,) = rows(program, bound, *LAYOUT, "--for", "pp", "--hold", "dp", "--want", "smallest")
    assert held["pp"] % 2 == 0  # DualPipe pairs ranks


def test_numbers_of_the_model(program):
    found = rows(
        program, "parameters.total between 600e9 and 700e9", "deepseek-v3",
        "--for", "n_routed_experts",
    )  # fmt: skip
    assert [row["n_routed_experts"] for row in found] == [232, 240, 248, 256, 264]
    (widest,) = rows(
        program, "memory.worst.total <= 80GiB", *LAYOUT, "--for", "hidden_size",
        "--want", "largest",
    )  # fmt: skip
    assert widest["memory.worst.total"] <= 80 * 2**30


def test_where_the_direction_is_not_sure_values_are_looked_at(program):
    data = program.json(
        *SOLVE, "memory.worst.total <= 70GiB", *LAYOUT, "--for", "num_hidden_layers",
        "--to", "100", "--want", "largest",
    ).data  # fmt: skip
    assert data["rows"][0]["num_hidden_layers"] == 63
    assert (
        "tried every num_hidden_layers from 1 to 100 with the closed form, the hits with the query"
        in data["notes"]
    )


def test_heads_and_links(program):
    found = rows(program, "kv_cache.bytes <= 1GiB", "llama-3.1-70b", "--for", "num_key_value_heads")
    assert [row["num_key_value_heads"] for row in found] == [1, 2, 4]
    (link,) = rows(
        program, "traffic.time_per_layer <= 7ms", *LAYOUT, "--hardware", "h800",
        "--for", "hardware.scale_out.nominal", "--want", "smallest",
    )  # fmt: skip
    assert 40e9 < link["hardware.scale_out.nominal"] < 50e9


def test_what_has_no_closed_form_is_asked_for(program):
    found = rows(
        program, "traffic.time_per_layer <= 5ms", *LAYOUT, "--hardware", "h800", "--for", "ep"
    )
    assert [row["ep"] for row in found] == [1, 2, 4, 8, 16, 32]


def test_an_equation(program):
    (row,) = rows(program, "flops.total = 1025873440407552", "deepseek-v3", "--for", "seq")
    assert row["sequence"] == 4096


def test_no_solution(program):
    found = program.refused(
        ExitStatus.INFEASIBLE, *SOLVE, "memory.worst.total <= 60GiB", *LAYOUT, "--for", "ep"
    )
    divisors = "no ep satisfies memory.worst.total <= 60GiB: tried ep 1, 2, 4, 8, 16, 32, 64, 128:"
    assert f"{divisors} divisors of the 128 GPUs of a pipeline stage" in found.err
    nearest = value(program, "memory", *LAYOUT, "--hardware", "h800", "--ep", 128)
    assert (
        f"the closest value is {nearest['memory.worst.total'] / 2**30:.2f} GiB at ep 128"
        in found.err
    )
    program.refused(
        ExitStatus.INFEASIBLE, *SOLVE, "kv_cache.bytes <= 1KB", "deepseek-v3", "--for", "tokens"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("kv_cache.bytes", "deepseek-v3", "--for", "tokens"), "is not a bound"),
        (("kv_cache.bytes <=", "deepseek-v3", "--for", "tokens"),
         "'kv_cache.bytes <=': the bound has no number"),
        (("kv_cache.bytes <= 4GHz", "deepseek-v3", "--for", "tokens"), "not a unit of bytes"),
        (("kv_cache.bytes <= x", "deepseek-v3", "--for", "tokens"), "a number"),
        (("kv_cache.bytes between 2GB and 1GB", "deepseek-v3", "--for", "tokens"), "above"),
        (("kv_cache.byte <= 4GB", "deepseek-v3", "--for", "tokens"), "did you mean"),
        (("kv_cache.bytes <= 4GB", "deepseek-v3", "--for", "tokns"), "did you mean 'tokens'"),
        (("kv_cache.bytes <= 4GB", "deepseek-v3", "--for", "tokens", "--want", "any"), "smallest"),
        (("kv_cache.bytes <= 4GB", "deepseek-v3", "--for", "tokens", "--from", "9", "--to", "3"),
         "above --to"),
        (("kv_cache.bytes <= 4GB", "deepseek-v3"), "--for"),
    ],
)  # fmt: skip
def test_bad_input(program, arguments, words):
    assert words in program.refused(ExitStatus.USAGE, *SOLVE, *arguments).err


@pytest.mark.parametrize("form", ["table", "csv", "markdown"])
def test_other_formats(program, form):
    text = program.ok(
        *SOLVE, "kv_cache.bytes <= 40GiB", "deepseek-v3", "--for", "batch", "--format", form
    ).out
    assert "149" in text


def test_what_was_tried_is_said(program):
    """On 8 GPUs tp is a divisor of 8."""
    query = ("deepseek-v3", "--serve", "--hardware", "h100", "--batch", "1", "--tp", "8")
    found = program.refused(
        ExitStatus.INFEASIBLE, *SOLVE, "serving.fits >= 1", *query, "--for", "tp"
    )
    assert "tried tp 1, 2, 4, 8: divisors of the 8 GPUs; the closest value is 0" in found.err
    data = program.json(*SOLVE, "kv_cache.bytes <= 40GiB", "deepseek-v3", "--for", "tokens").data
    assert data["notes"] == [
        "all accepted values of tokens between them satisfy it too",
        "kv_cache.bytes is monotonic in tokens: bisected tokens from 1 to 1,000,000,000,000,000",
    ]


def test_a_line_with_gaps(program):
    """Of Qwen2.5 72B 145 GB are weights: two 80 GB GPUs hold them, at tp that divides 64 heads."""
    query = ("qwen2.5-72b", "--serve", "--hardware", "h100", "--tp", "8", "--hold", "dp")
    found = rows(program, "serving.fits >= 1", *query, "--for", "tp", "--to", "100")
    assert [row["tp"] for row in found] == [2, 4, 8, 16, 32, 64]


def test_a_closed_form_that_is_wrong_somewhere_is_not_used(program, monkeypatch):
    """The query itself decides: a form that differs from it far away finds nothing."""
    from dsv3calc.studies.lines.derive import Derivation

    right = Derivation.at

    def wrong(self, values):
        return right(self, values) if values.get("tokens", 0) < 1000 else 0

    monkeypatch.setattr(Derivation, "at", wrong)
    query = ("deepseek-v3", "--for", "tokens", "--to", "1500", "--want", "largest")
    (row,) = rows(program, "kv_cache.bytes <= 84326400", *query)  # 1,200 tokens of 70,272 B
    assert row["tokens"] == 1200


SERVE = ("--serve", "--tp", "1", "--hardware", "h100")


def test_the_query_refuses_the_upper_end(program):
    """An expert of DeepSeek-V3 is 3 x 7168 x 2048 weights in each of 58 layers: 33 make 100B.

    A token may use 4 groups of 32 experts: 128.
    """
    query = ("parameters.active >= 100B", "deepseek-v3", "--for", "num_experts_per_tok")
    data = program.json(*SOLVE, *query).data
    assert [row["num_experts_per_tok"] for row in data["rows"]] == list(range(33, 129))
    assert data["rows"][0]["parameters.active"] == 37_552_297_472 + 25 * 58 * 3 * 7168 * 2048
    assert any("the query refuses the" in note for note in data["notes"])
    (largest,) = rows(program, *query, "--want", "largest")
    assert largest["num_experts_per_tok"] == 128


@pytest.mark.parametrize(
    ("model", "bound"), [("deepseek-v3", "40GiB"), ("llama-3.1-405b", "41GiB")]
)
def test_tp_divides_the_heads(program, model, bound):
    """Both have 128 heads and weights that do not fit 16 times."""
    query = (f"serving.weights <= {bound}", model, *SERVE, "--for", "tp", "--hold", "dp")
    assert [row["tp"] for row in rows(program, *query)] == [32, 64, 128]


def test_experts_are_spread_over_more_gpus(program):
    """Of 654,068,416,512 B of experts and 19,082,195,296 B beside them, 1/32 of the former fits."""
    bound = "serving.weights <= 41GiB"
    by_ep = program.json(*SOLVE, bound, "deepseek-v3", *SERVE, "--for", "ep").data
    assert [row["ep"] for row in by_ep["rows"]] == [32, 64, 128, 256]
    assert by_ep["rows"][0]["serving.weights"] == 654_068_416_512 // 32 + 19_082_195_296
    assert any(note.startswith("dp follows from ep x etp") for note in by_ep["notes"])
    by_dp = rows(program, bound, "deepseek-v3", *SERVE, "--for", "dp")
    assert [row["dp"] for row in by_dp] == [32, 2048]  # 2,048 channels of an expert
    assert by_dp[0]["serving.weights"] == by_ep["rows"][0]["serving.weights"]
    found = program.refused(
        ExitStatus.INFEASIBLE, *SOLVE, bound, "deepseek-v3", *SERVE, "--for", "ep", "--hold", "dp"
    )
    assert "tried ep 1: divisors of the 1 GPU of a pipeline stage" in found.err


def test_the_gpus_can_change(program):
    query = ("serving.weights <= 41GiB", "deepseek-v3", *SERVE, "--for", "tp")
    found = program.refused(ExitStatus.INFEASIBLE, *SOLVE, *query)
    assert "--hold dp lets the number of GPUs change" in found.err


@pytest.mark.parametrize(
    ("bound", "tokens"), [("40GiB", "611,192"), ("70GB", "996,129"), ("1KB", "1")]
)
def test_the_closest_value(program, bound, tokens):
    """A token is 70,272 B."""
    found = program.refused(
        ExitStatus.INFEASIBLE, *SOLVE, f"kv_cache.bytes = {bound}", "deepseek-v3", "--for", "tokens"
    )
    size = 70_272 * int(tokens.replace(",", ""))
    assert f"the closest value is {size:,} B at tokens {tokens}" in found.err


def test_the_closest_value_where_the_line_is_not_monotonic(program):
    query = (*LAYOUT, "--for", "num_hidden_layers", "--to", "100")
    found = program(*SOLVE, "memory.worst.total <= 1GiB", *query)
    assert found.status == ExitStatus.INFEASIBLE
    fewest = (
        "memory",
        *LAYOUT,
        "--hardware",
        "h800",
        "--set",
        "num_hidden_layers=16",
    )  # a layer for each stage
    nearest = value(program, *fewest)["memory.worst.total"]
    assert f"{nearest / 2**30:.2f} GiB at num_hidden_layers 16" in found.err


def test_values_that_were_not_tried_are_not_denied(program, monkeypatch):
    monkeypatch.setattr("dsv3calc.studies.lines.solve.MOST_VALUES", 20)
    query = ("llama-3.1-8b", "--hardware", "h100", "--pp", "4", "--micro-batch", "1")
    found = program(*SOLVE, "memory.worst.total <= 1GiB", *query, "--for", "num_hidden_layers")
    assert found.status == ExitStatus.USAGE
    assert "not every value was tried" in found.err
    assert "--from 21" in found.err
    found = program.refused(
        ExitStatus.USAGE, *SOLVE, "serving.weights <= 41GiB", "deepseek-v3", *SERVE, "--for", "tp",
        "--hold", "dp", "--from", "1000",
    )  # fmt: skip
    assert found.err.count("the query refuses the") == 1


def test_a_line_against_a_line(program):
    """The context at which computation takes as long as the exchange, by trying both sides."""
    asked = ("limits", "ep", "deepseek-v3", "--hardware", "h800", "--context")
    own, other = "limits.ep.compute_time", "limits.ep.all_to_all_time"
    given = ("--for", "context", "--want", "smallest")
    found = program.json("formula", "solve", f"{own} >= {other}", *asked, "4096", *given)
    (row,) = found.data["rows"]
    for context, holds in ((row["past"], True), (row["past"] - 1, False)):
        values = program.json(*asked, str(context)).values
        assert (values[own] >= values[other]) is holds


def test_lines_of_other_units_are_not_compared(program):
    asked = ("limits.ep.tpot >= limits.ep.messages_per_second", "limits", "ep", "deepseek-v3")
    given = ("--hardware", "h800", "--for", "tokens")
    assert "lines of one unit" in program.refused(2, "formula", "solve", *asked, *given).err


def test_of_many_values_the_first_and_the_last_are_shown(program):
    asked = ("formula", "solve", "parameters.active >= 100B", "deepseek-v3")
    asked += ("--for", "num_experts_per_tok")
    found = program.ok(*asked).out
    assert found.count("\n 3") == 4  # 33 to 36
    assert "… 88 more between them: --format csv, or --json" in found
    assert " 128 " in found
    assert len(program.json(*asked).data["rows"]) == 96
    assert program.ok(*asked, "--format", "markdown").out.count("\n|") > 96

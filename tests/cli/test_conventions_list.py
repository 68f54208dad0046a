import csv
import io

from dsv3calc.exit_status import ExitStatus

NAMES = (
    "matmul", "six-n", "twelve-l-h2", "causal", "full", "half", "naive", "absorbed",
    "isca25-table2", "transformers", "as-configured", "isca25", "group-limited", "sigmoid-normal",
    "top2-sum", "node-limited", "per-expert", "logfmt-10", "switch-reduced", "expanded",
    "published",
)  # fmt: skip


def test_every_choice_and_bundle_is_listed(program):
    text = program.ok("conventions", "list").out
    assert all(name in text for name in NAMES)
    assert max(map(len, text.splitlines())) <= 80


def test_in_other_formats(program):
    rows = program.json("conventions", "list").data["rows"]
    assert all(row for row in rows)
    listed = list(csv.reader(io.StringIO(program.ok("conventions", "list", "--format", "csv").out)))
    assert len(listed) == 1 + len(rows)
    assert "| " in program.ok("conventions", "list", "--format", "markdown").out


def test_wrong_arguments(program):
    program.refused(ExitStatus.USAGE, "conventions", "list", "x")
    program.refused(ExitStatus.USAGE, "conventions")
    assert "conventions list" in program.refused(ExitStatus.USAGE, "conventions", "lst").err


def test_who_counts_so(program):
    rows = program.json("conventions", "list").data["rows"]
    users = {(row["convention"], row["choice"]): (row["papers"], row["tools"]) for row in rows}
    assert "isca25" in users["bundle", "isca25-table2"][0]
    assert "isca25" in users["attention", "half"][0], "what a bundle fixes counts too"
    assert users["counting", "twelve-l-h2"][0] == ["isca25"]
    assert "flashmla" in users["mtp", "in"][0]
    assert users["bundle", "transformers"][1] == ["transformers"]
    assert users["mla", "latent"] == ([], ["transformers"])
    assert "Megatron-LM" in users["attention", "half"][1]
    text = " ".join(program.ok("conventions", "list").out.split())
    assert "papers: isca25" in text
    assert "tools: Megatron-LM" in text

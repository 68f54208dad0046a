"""Conventions as queries choose them, found in their text."""

import pytest

from dsv3calc.accounting.conventions import BUNDLES, CHOICES
from dsv3calc.studies.conventions.users import TOOLS, chosen_in

OPTIONS = {
    ("attention", "full"): ["attention"],
    ("convention", "isca25-table2-dense"): ["bundle"],
    ("convention", "isca25"): ["limits"],
    ("include", "mtp"): ["inclusion"],
    ("include", "scales"): ["inclusion"],
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("flops deepseek-v3", set()),
        ("flops deepseek-v3 --attention full", {("attention", "full")}),
        ("flops deepseek-v3 --attention=full --with-mtp", {("attention", "full"), ("mtp", "in")}),
        ("flops deepseek-v3 --attention odd", set()),
        ("flops qwen-72b --convention isca25-table2-dense",
         {("bundle", "isca25-table2-dense"), *BUNDLES["isca25-table2-dense"].fixes.items()}),
        ("limits ep --convention isca25 --tokens 32", {("limits", "isca25")}),
        ("params x --include mtp,scales", {("inclusion", "mtp"), ("inclusion", "scales")}),
        ("formula eval f 'a=b of flops x --attention full' c=1", {("attention", "full")}),
    ],
)  # fmt: skip
def test_what_a_query_chooses(query, found):
    assert chosen_in(query, OPTIONS) == found


def test_tools_count_under_conventions_that_exist():
    for convention, choice in TOOLS:
        assert choice in (BUNDLES if convention == "bundle" else CHOICES[convention][1])

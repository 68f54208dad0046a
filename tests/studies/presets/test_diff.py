import json
from math import inf, isfinite
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc import answer
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.exit_status import ExitStatus
from dsv3calc.output.json_format import as_data
from dsv3calc.studies.presets.changes import Change, Values, compare_values
from dsv3calc.studies.presets.diff import answer_diff

SECTIONS = {"field", "params", "flops.train", "flops.prefill", "flops.decode", "kv"}


def change(a, b):
    return Change("kv", "", "x", "B", a, b, top=True)


def save(path, query, **replaced):
    data = json.loads(json.dumps(as_data(answer(query))))
    data.update(replaced)
    path.write_text(json.dumps(data))
    return str(path)


def result(path, *columns, command="kv", **more):
    """Write a result of columns, each (id, {name: value})."""
    data = {
        "schema_version": 1,
        "command": command,
        "columns": [
            {"id": id_, "values": values, "units": dict.fromkeys(values, "B")}
            for id_, values in columns
        ],
    }
    path.write_text(json.dumps(data | more))
    return str(path)


def test_a_row_says_everything_about_a_change():
    assert change(100, 125).row == {
        "section": "kv",
        "column": "",
        "name": "x",
        "unit": "B",
        "a": 100,
        "b": 125,
        "difference": 25,
        "ratio": 1.25,
        "change": 25.0,
        "status": "changed",
    }


@pytest.mark.parametrize(
    ("a", "b", "status"),
    [
        (0, 5, "changed"),
        (-2, 1.5, "changed"),
        (None, 5, "added"),
        (5, None, "removed"),
        ("x", "y", "changed"),
    ],
)
def test_what_has_no_percentage_is_beyond_every_bound_and_ranks_first(a, b, status):
    found = change(a, b)
    assert (found.row["ratio"], found.row["change"]) == (None, None)
    assert found.row["status"] == status
    assert found.effect == inf
    assert found.exceeds((10**9, 1))


def test_down_to_zero_is_a_loss_of_everything_and_ranks_first():
    found = change(5, 0)
    assert (found.row["ratio"], found.row["change"], found.effect) == (0.0, -100.0, inf)
    assert found.exceeds((99, 100))
    assert not found.exceeds((1, 1))


def test_a_half_and_a_double_have_the_same_effect():
    assert change(2, 1).effect == pytest.approx(change(1, 2).effect)
    assert change(1000, 1001).effect < change(1000, 998).effect


def test_a_bound_is_compared_exactly():
    assert not change(100, 101).exceeds((1, 100))
    assert not change(0.1, 0.101).exceeds((1, 100))
    assert change(10**30, 10**30 + 10**28 + 1).exceeds((1, 100))


def test_differences_of_integers_are_exact():
    assert change(10**30, 10**30 + 1).row["difference"] == 1
    assert change(0.1, 0.3).row["difference"] == 0.2


numbers = st.integers(-(10**400), 10**400) | st.floats(allow_nan=False, allow_infinity=False)


@given(numbers, numbers)
def test_rows_hold_no_nan_and_no_infinity(a, b):
    row = change(a, b).row
    for name in ("difference", "ratio", "change"):
        assert row[name] is None or isinstance(row[name], int) or isfinite(row[name])
    json.dumps(row["ratio"], allow_nan=False)


def test_another_unit_is_another_quantity():
    a, b = Values({"x": 1}, {"x": "B"}, {"x"}), Values({"x": 1}, {"x": "s"}, {"x"})
    changes, compared = compare_values("kv", "", a, b)
    assert [(each.row["status"], each.row["unit"]) for each in changes] == [
        ("removed", "B"),
        ("added", "s"),
    ]
    assert compared == 1


def test_two_models_are_compared_by_fields_and_by_what_they_cost():
    found = answer_diff("deepseek-v3", "kimi-k2")
    assert {row["section"] for row in found.rows} <= SECTIONS
    values = {(row["section"], row["name"]): row for row in found.rows}
    total = values["params", "parameters.total"]
    assert total["a"] == answer("params deepseek-v3").columns[0].ledger["parameters.total"]
    assert total["b"] == answer("params kimi-k2").columns[0].ledger["parameters.total"]
    decode = values["flops.decode", "flops.total"]
    query = "flops kimi-k2 --phase decode"
    assert decode["b"] == answer(query).columns[0].ledger["flops.total"]
    assert values["kv", "kv_cache.bytes_per_token.groups.0"]["unit"] == "B/token"
    assert values["field", "groups.1.feed_forward.n_routed_experts"]["change"] == 50
    assert found.status == ExitStatus.OK
    assert {source["id"].partition(":")[0] for source in found.sources} >= {
        "deepseek-v3",
        "kimi-k2",
    }


def test_fields_come_first_and_then_the_largest_effect():
    rows = answer_diff("deepseek-v3", "kimi-k2", everything=True).rows
    sections = [row["section"] == "field" for row in rows]
    assert sections == sorted(sections, reverse=True)
    ratios = [row["ratio"] for row in rows if row["section"] != "field" and row["ratio"]]
    effects = [max(ratio, 1 / ratio) for ratio in ratios]
    assert effects == pytest.approx(sorted(effects, reverse=True))


def test_nested_values_are_counted_and_listed_when_asked():
    short, long = (answer_diff("deepseek-v3", "kimi-k2", everything=each) for each in (False, True))
    assert len(short.rows) < len(long.rows) == long.query["changed"] == short.query["changed"]
    more = len(long.rows) - len(short.rows)
    assert f"{more} sub-items hidden: --all lists them" in short.notes
    assert not any("--all" in note for note in long.notes)


def test_a_model_is_the_same_as_itself():
    found = answer_diff("deepseek-v3", "deepseek-v3", fail_over="0")
    assert (found.rows, found.status) == ([], ExitStatus.OK)
    assert found.notes[-1].startswith("the same")


def test_fields_of_hardware_have_units():
    rows = {row["name"]: row for row in answer_diff("h800", "h100").rows}
    assert rows["scale_up.nominal"]["unit"] == "B/s"
    assert rows["memory.usable"]["unit"] == "B"
    assert rows["dollars_per_hour"]["unit"] == "USD/h"
    assert rows["scale_up.name"]["unit"] == ""


def test_fields_of_hardware_come_with_their_sources_and_assumptions():
    found = answer_diff("h800", "h100")
    assert {source["id"].partition(":")[0] for source in found.sources} == {"h800", "h100"}
    assert any(text.startswith("h800: ") for text in found.assumptions)
    assert answer_diff("h800", "h800").assumptions == []


def test_a_field_given_where_there_was_none_is_added():
    rows = {row["name"]: row for row in answer_diff("kimi-k2", "deepseek-v3").rows}
    assert rows["mtp.group"]["status"] == "added"
    assert rows["mtp.group"]["a"] is None


def test_presets_of_other_kinds_compare_their_fields():
    found = answer_diff("bf16", "fp8", kind="kv_formats")
    assert {row["section"] for row in found.rows} == {"field"}
    assert found.query["of"] == "kv_format"


def test_the_bound_decides(tmp_path):
    a = result(tmp_path / "a.json", ("m", {"x": 100, "y": 100}))
    b = result(tmp_path / "b.json", ("m", {"x": 101, "y": 98}))
    assert answer_diff(a, b).status == ExitStatus.OK
    assert answer_diff(a, b, fail_over="2%").status == ExitStatus.OK
    found = answer_diff(a, b, fail_over="1%")
    assert found.status == ExitStatus.CHECK_FAILED
    assert [(row["name"], row["over"]) for row in found.rows] == [("y", True), ("x", False)]
    assert (found.query["fail_over"], found.query["over"]) == (0.01, 1)


@pytest.mark.parametrize("values", [{"x": 1}, {"x": 1, "y": 2, "z": 3}])
def test_appearing_and_disappearing_fail(tmp_path, values):
    a = result(tmp_path / "a.json", ("m", {"x": 1, "y": 2}))
    b = result(tmp_path / "b.json", ("m", values))
    assert answer_diff(a, b, fail_over="1000%").status == ExitStatus.CHECK_FAILED


def test_what_fails_is_listed_though_it_is_nested(tmp_path):
    ledger = {"title": "", "lines": [{"name": "x"}]}
    paths = []
    for name, nested in (("a", 10), ("b", 20)):
        values = {"x": 100 + nested // 10, "x.deep.down": nested}
        column = {"id": "m", "values": values, "units": dict.fromkeys(values, "B")}
        paths.append(result(tmp_path / f"{name}.json", columns=[column | {"ledger": ledger}]))
    assert [row["name"] for row in answer_diff(*paths).rows] == ["x"]
    notes = answer_diff(*paths, fail_over="0").notes
    assert notes == ["1 sub-item hidden, 1 beyond 0 %: --all lists them"]
    found = answer_diff(*paths, fail_over="50%")
    assert found.status == ExitStatus.CHECK_FAILED
    assert [row["name"] for row in found.rows] == ["x.deep.down", "x"]


def test_a_bound_without_percent_sign_is_told():
    found = answer_diff("h800", "h100", fail_over="1")
    assert "--fail-over 1 is 100 %" in found.notes
    assert not any("--fail-over" in note for note in answer_diff("h800", "h100").notes)


@pytest.mark.parametrize("text", ["", "x", "-1%", "1 GiB", "1e999"])
def test_a_bound_that_is_no_share_is_refused(text):
    with pytest.raises(UsageError, match="--fail-over"):
        answer_diff("h800", "h100", fail_over=text)


def test_saved_results_are_compared_by_column(tmp_path):
    a = save(tmp_path / "a.json", "compare deepseek-v3 kimi-k2 --context 4096")
    b = save(tmp_path / "b.json", "compare deepseek-v3 kimi-k2 --context 8192")
    found = answer_diff(a, b)
    assert {row["column"] for row in found.rows} == {"deepseek-v3", "kimi-k2"}
    assert {row["section"] for row in found.rows} == {"compare"}
    assert "the queries differ: context 4096 vs 8192" in found.notes


def test_a_result_with_all_lines_is_compared_by_its_public_ones(tmp_path):
    new, old, full = (str(tmp_path / f"{name}.json") for name in ("new", "old", "full"))
    asked = answer("params deepseek-v3")
    long, short = (json.loads(json.dumps(as_data(asked, ledger=each))) for each in (True, False))
    first = json.loads(json.dumps(long)) | {"schema_version": 1}
    del first["columns"][0]["main"]
    assert len(long["columns"][0]["values"]) > len(short["columns"][0]["values"])
    for path, data in ((new, short), (old, first), (full, long)):
        Path(path).write_text(json.dumps(data))
    for a, b, where in ((old, new, "second"), (new, full, "first")):
        found = answer_diff(a, b, fail_over="0")
        assert (found.rows, found.status) == ([], ExitStatus.OK)
        assert found.query["compared"] == len(short["columns"][0]["values"])
        assert found.notes[0].startswith(f"the {where} has public lines alone")
    assert answer_diff(old, full).query["compared"] == len(long["columns"][0]["values"])


def test_single_columns_are_compared_whatever_their_names(tmp_path):
    a = save(tmp_path / "a.json", "flops deepseek-v3 --phase decode")
    b = save(tmp_path / "b.json", "flops kimi-k2 --phase decode")
    found = answer_diff(a, b)
    assert {row["column"] for row in found.rows} == {"deepseek-v3 -> kimi-k2"}
    assert {row["section"] for row in found.rows} == {"flops.decode"}


def test_a_column_that_stands_alone_is_told(tmp_path):
    a = result(tmp_path / "a.json", ("m", {"x": 1}), ("n", {"x": 1}))
    b = result(tmp_path / "b.json", ("m", {"x": 1}), ("o", {"x": 1}))
    found = answer_diff(a, b)
    assert [(row["column"], row["status"]) for row in found.rows] == [
        ("n", "removed"),
        ("o", "added"),
    ]
    assert found.notes == ["column 'n' is in the first alone", "column 'o' is in the second alone"]


def test_a_result_equals_itself_with_integers_beyond_64_bits(tmp_path):
    a = result(tmp_path / "a.json", ("m", {"x": 2**100}))
    b = result(tmp_path / "b.json", ("m", {"x": 2**100 + 1}))
    assert answer_diff(a, a).notes == ["the same: 1 values compared, none differs"]
    (row,) = answer_diff(a, b).rows
    assert (row["a"], row["b"], row["difference"]) == (2**100, 2**100 + 1, 1)


def test_only_the_same_sort_is_compared(tmp_path):
    kv = save(tmp_path / "kv.json", "kv deepseek-v3")
    params = save(tmp_path / "params.json", "params deepseek-v3")
    for a, b in ((kv, params), (kv, "deepseek-v3"), ("h800", "deepseek-v3")):
        with pytest.raises(UsageError, match=" is a "):
            answer_diff(a, b)


def test_a_result_without_values_is_refused(tmp_path):
    a = result(tmp_path / "a.json", command="presets list")
    with pytest.raises(UsageError, match="no columns"):
        answer_diff(a, a)


def test_assumptions_of_saved_results_come_along(tmp_path):
    a = result(tmp_path / "a.json", ("m", {"x": 1}), assumptions=["a guess"])
    b = result(tmp_path / "b.json", ("m", {"x": 2}), assumptions=["a guess", "another"])
    assert answer_diff(a, b).assumptions == ["a guess", "another"]


def test_a_broken_preset_is_invalid(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("groups: 3\n")
    with pytest.raises(InvalidInput, match=r"my\.yaml"):
        answer_diff(str(path), "deepseek-v3")

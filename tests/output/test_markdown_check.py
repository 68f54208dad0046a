import re

from dsv3calc.commands.request import OutputOptions
from dsv3calc.output import markdown


def render(answer, *, exact=False):
    return markdown.render(answer, OutputOptions(format="markdown", exact=exact), color=False)


def tables(text):
    """Return the tables of a document as rows of cells; all rows of one are equally long."""
    found = []
    for block in text.split("\n\n"):
        if not block.startswith("|"):
            continue
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.rstrip("\n").split("\n")]
        assert len({len(row) for row in rows}) == 1
        assert all(re.fullmatch(r" (:--|--:) ", cell) for cell in rows[1])
        found.append([[cell.strip() for cell in row] for row in rows])
    return found


def test_what_moved_with_the_reasons(make_row, make_answer):
    text = render(make_answer(make_row(), make_row("moved")))
    assert text.startswith("**2 rows: 1 unchanged, 1 changed**\n\n| ")
    ((headings, _, *rows),) = tables(text)
    assert headings == ["changed", "expected", "now", "difference"]
    assert rows[0] == ["**numbers/kv.yaml:7**", "", "", ""]
    assert rows[1] == [
        "&nbsp;&nbsp;kv_cache.bytes_per_token of kv deepseek-v3", "", "", ""
    ]  # fmt: skip
    assert rows[2] == ["", "68.62 KiB/token", "78.12 KiB/token", "+9,728 (+13.8434%)"]
    assert [row[0].replace("&nbsp;", "") for row in rows[3:]] == [
        "because model.num_hidden_layers: 61 -> 62",
        "because formula entry_bytes changed",
        "tolerance: 70272 exactly",
    ]


def test_source_and_note_of_failed_rows(make_row, make_answer):
    said = {"source": "serving plan, page 3", "note": "ask the serving team"}
    bound = make_row("moved", expected="<= 70KB", tolerance="<= 70KB", why=[], **said)
    text = render(make_answer(make_row(**said), bound, make_row("broken", **said)))
    lines = [cell.replace("&nbsp;", "") for table in tables(text) for row in table for cell in row]
    for name, value in said.items():
        assert lines.count(f"{name}: {value}") == 2
    assert not any(line.startswith("tolerance") for line in lines)


def test_what_is_broken(make_row, make_answer):
    text = render(make_answer(make_row("broken", line=12)))
    assert "1 error**" in text
    ((headings, _, *rows),) = tables(text)
    assert headings == ["error"]
    assert [cell.replace("&nbsp;", "") for (cell,) in rows] == [
        "numbers/kv.yaml:12",
        "kv_cache.bytes_per_token of kv deepseek-v3",
        "the answer has no quantity 'x'; did you mean 'y'?",
    ]


def test_nothing_failed(make_row, make_answer):
    text = render(make_answer(make_row(), make_row()))
    assert text == "**2 rows: 2 unchanged, 0 changed**\n"


def test_values_that_look_alike_are_shown_exactly(make_row, make_answer):
    row = make_row("moved", expected=287834112, value=287834113)
    ((_, _, _, _, values, *_),) = tables(render(make_answer(row)))
    assert values[1:3] == ["287,834,112 B/token", "287,834,113 B/token"]
    assert "80,000 B/token" in render(make_answer(make_row("moved")), exact=True)


def test_many_reasons_have_an_end(make_row, make_answer):
    text = render(make_answer(make_row("moved", why=[f"reason {i}" for i in range(9)])))
    assert "because reason 4 |" in text
    assert "and 4 more |" in text
    assert "reason 5" not in text


def test_hostile_texts_leave_the_tables_whole(make_row, make_answer, hostile):
    names = ("quantity", "query", "difference", "file")
    rows = [
        make_row(status, **dict.fromkeys(names, hostile), why=[hostile])
        for status in ("moved", "broken")
    ]
    text = render(make_answer(*rows))
    assert len(tables(text)) == 2
    assert text.replace("\n", "").isprintable()
    assert "<" not in text


def test_a_real_check(check, golden_file):
    text = render(check(golden_file))
    assert text == render(check(golden_file))
    assert text.startswith("**3 rows: 1 unchanged, 0 changed, 1 outside budget, 1 error**\n")
    assert "numbers/kv.yaml:7" in text
    assert "did you mean 'kv_cache.bytes_per_token'?" in text

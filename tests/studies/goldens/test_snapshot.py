"""Goldens from queries, and expectations rewritten in place: nothing else in the file changes."""

import os
import textwrap

import pytest

from dsv3calc.api import answer
from dsv3calc.errors import OutputError, UsageError
from dsv3calc.reading.source import Source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.golden import GoldenFile
from dsv3calc.studies.goldens.snapshot import replace_values, snapshot_goldens, update_file
from dsv3calc.studies.goldens.verdict import check_rows, load_goldens

KV = "kv deepseek-v3"
MOVED = "goldens: [{query: kv deepseek-v3, quantity: kv_cache.bytes, expect: 1}]\n"


def snapshot_text(*arguments, **more):
    return snapshot_goldens(*arguments, **more)[0]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "numbers.yaml"


def write(file, text):
    file.write_bytes(textwrap.dedent(text).encode())


def update(file):
    return update_file(str(file), list(check_rows([str(file)], ask=answer)))


def statuses(file):
    return [row.status for row in check_rows([str(file)], ask=answer)]


def read(text):
    source = Source("snapshot.yaml", text)
    return convert(source, source.data, GoldenFile).goldens


def test_a_snapshot_is_kept_by_the_next_check(file):
    queries = [KV, "params mistral-7b", "flops deepseek-v3 --phase decode --past 8192"]
    file.write_text(snapshot_text(queries, (), ask=answer))
    found = statuses(file)
    assert len(found) > 8
    assert set(found) == {"kept"}


def test_a_snapshot_has_base_units_and_origins():
    (row,) = read(snapshot_text([f"dsv3calc  {KV}"], ["kv_cache.bytes_per_token"], ask=answer))
    assert (row.query, row.quantity, row.expect, row.unit) == (
        KV,
        "kv_cache.bytes_per_token",
        70_272,
        "B/token",
    )
    assert row.made_from["model.groups.0.attention.kv_lora_rank"] == 512
    assert len(row.made_from["formula.entry_bytes"]) == 12


def test_a_snapshot_of_several_columns_names_them():
    query = "compare deepseek-v3 qwen2.5-72b --rows parameters"
    rows = read(snapshot_text([query], ["parameters.total", "parameters.active_share"], ask=answer))
    assert [(row.column, row.quantity, type(row.expect)) for row in rows] == [
        ("deepseek-v3", "parameters.total", int),
        ("deepseek-v3", "parameters.active_share", float),
        ("qwen2.5-72b", "parameters.total", int),
        ("qwen2.5-72b", "parameters.active_share", int),
    ]


@pytest.mark.parametrize(
    ("queries", "quantities", "words"),
    [
        ([KV, f"dsv3calc {KV}"], (), "given twice"),
        ([KV], ["parameters.*"], "matches no quantity"),
        (["kv deepseek-v9"], (), "no model preset"),
        (["presets list"], (), "no query"),
    ],
)
def test_snapshots_that_are_refused(queries, quantities, words):
    with pytest.raises(UsageError, match=words):
        snapshot_text(queries, quantities, ask=answer)


def test_an_update_changes_values_and_nothing_else(file):
    text = """\
    # who: the serving team   (größer ≤ 𝔘)
    title: "our numbers"

    goldens:
      # the first
      - expect: 70271   # was 70272
        quantity: kv_cache.bytes_per_token
        query: 'kv   deepseek-v3'
        note: "𝔘, then a number"
      - {query: kv deepseek-v3, quantity: kv_cache.bytes, expect: 5, note: 𝔘}  # flow
      - query: >-
          kv
          qwen2.5-72b
        quantity: kv_cache.bytes_per_token
        expect:
          0.5


      - query: params deepseek-v3
        quantity: parameters.active_share
        expect: 1e-3
        tolerance: {rel: 0.01}
      # kept already
      - query: params deepseek-v3
        quantity: parameters.total
        expect: 671_026e6
      # the end
    """.replace("parameters.active_share", "parameters.active").replace("671_026e6", "671026419200")
    write(file, text)
    assert update(file) == 4
    expected = textwrap.dedent(text)
    for old, new in (
        ("expect: 70271 ", "expect: 70272 "),
        ("expect: 5,", "expect: 287834112,"),
        ("      0.5\n", "      327680\n"),
        ("expect: 1e-3\n", "expect: 37552297472\n"),
    ):
        assert expected.count(old) == 1
        expected = expected.replace(old, new)
    assert file.read_text() == expected
    assert set(statuses(file)) == {"kept"}
    assert update(file) == 0


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_stay(file, end):
    lines = [
        "goldens:",
        f"  - query: {KV}",
        "    quantity: kv_cache.bytes",
        "    expect: 1 # x",
        "",
    ]
    file.write_bytes(end.join(lines).encode())
    assert update(file) == 1
    assert file.read_bytes() == end.join(lines).replace(" 1 #", " 287834112 #").encode()


def test_a_byte_order_mark_stays(file):
    file.write_bytes(b"\xef\xbb\xbf" + MOVED.encode())
    assert update(file) == 1
    assert file.read_bytes() == b"\xef\xbb\xbf" + MOVED.replace(": 1}", ": 287834112}").encode()


def test_a_file_without_a_last_line_end(file):
    file.write_bytes(b"goldens: [{query: kv deepseek-v3, quantity: kv_cache.bytes, expect: 1}]")
    assert update(file) == 1
    assert file.read_bytes().endswith(b"expect: 287834112}]")


def test_origins_are_updated_with_the_number(file):
    text = snapshot_text([KV], ["kv_cache.bytes_per_token"], ask=answer)
    old = text.replace("expect: 70272", "expect: 70000")
    old = old.replace('kv_lora_rank": 512', 'kv_lora_rank": 500')
    file.write_text(old)
    assert update(file) == 1
    assert file.read_text() == text


def test_an_update_keeps_what_follows_an_origin_of_several_lines(file):
    write(
        file,
        """\
        goldens:
          - query: kv deepseek-v3
            quantity: kv_cache.bytes
            expect: 3
            made_from:
              model.num_hidden_layers: 60
              formula.gone: abc   # a comment

          # the next
          - query: kv deepseek-v3
            quantity: kv_cache.bytes_per_token
            made_from: {
              formula.gone: abc
            }
            expect: 70271
        # the end
        """,
    )
    assert update(file) == 2
    assert set(statuses(file)) == {"kept"}
    text = file.read_text()
    assert "\n\n  # the next\n  - query" in text
    assert text.endswith("expect: 70272\n# the end\n")


def test_bounds_are_never_updated(file):
    text = (
        "goldens: [{query: kv deepseek-v3, quantity: kv_cache.bytes_per_token, expect: '<= 60KB'}]"
    )
    write(file, text)
    before = os.stat(file).st_ino
    assert statuses(file) == ["moved"]
    assert update(file) == 0
    assert file.read_text() == text
    assert os.stat(file).st_ino == before


def test_immutable_goldens_refuse(file):
    write(file, "immutable: true\n" + MOVED)
    with pytest.raises(UsageError, match="immutable"):
        update(file)
    assert file.read_text() == "immutable: true\n" + MOVED


def test_a_read_only_file_is_refused(file, monkeypatch):
    write(file, MOVED)
    file.chmod(0o444)  # also for root, who may write everything
    with pytest.raises(UsageError, match="read-only"):
        update(file)
    file.chmod(0o644)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK or path != str(file))
    with pytest.raises(UsageError, match="read-only"):
        update(file)
    assert file.read_text() == MOVED


def test_a_second_update_at_once_is_refused(file):
    fcntl = pytest.importorskip("fcntl")
    write(file, MOVED)
    with file.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another update is going on"):
            update(file)
    assert file.read_text() == MOVED
    # the lock went with its holder
    assert update(file) == 1


@pytest.mark.parametrize("call", ["replace", "chmod"])
def test_an_update_that_fails_leaves_the_old_file_and_nothing_else(file, monkeypatch, call):
    write(file, MOVED)
    rows = list(check_rows([str(file)], ask=answer))

    def fail(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OutputError, match="No space left on device"):
        update_file(str(file), rows)
    monkeypatch.undo()
    assert file.read_text() == MOVED
    assert os.listdir(file.parent) == [file.name]


def test_a_file_that_changed_since_the_check_is_refused(file):
    write(file, MOVED)
    rows = list(check_rows([str(file)], ask=answer))
    changed = MOVED.replace("expect: 1", "expect: 2")
    write(file, changed)
    with pytest.raises(UsageError, match="changed during the check"):
        update_file(str(file), rows)
    assert file.read_text() == changed


def test_a_link_stays_a_link(file):
    real = file.parent / "real"
    real.mkdir()
    write(real / "numbers.yaml", MOVED)
    file.symlink_to("real/numbers.yaml")
    assert update(file) == 1
    assert file.is_symlink()
    assert "expect: 287834112" in (real / "numbers.yaml").read_text()


def test_permissions_stay(file):
    write(file, MOVED)
    file.chmod(0o640)
    assert update(file) == 1
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_path_that_is_not_there_is_no_edit():
    with pytest.raises(UsageError, match="not in the file"):
        replace_values("goldens: []\n", {("goldens", 0, "expect"): "1"})


def test_the_text_is_read_as_the_checker_reads_it(file):
    """Both parsers see one structure: the spans are those of the rows that were checked."""
    write(file, "goldens:\n- {query: kv deepseek-v3, quantity: 'kv_cache.bytes', expect: +1}\n")
    assert update(file) == 1
    _, found, _ = load_goldens(str(file))
    assert found.goldens[0].expect == 287_834_112

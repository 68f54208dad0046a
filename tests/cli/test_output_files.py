"""Where output goes: files that are written, kept or refused."""

import os
import stat

import pytest

from dsv3calc.exit_status import ExitStatus

KV = ("kv", "deepseek-v3", "--batch", "4")


def test_a_file_gets_what_stdout_would(program, tmp_path):
    for form in ("table", "json", "csv", "markdown"):
        shown = program.ok(*KV, "--format", form).out
        found = program.ok(*KV, "--format", form, "-o", f"{form}.txt")
        assert found.out == ""
        assert "wrote" in found.err
        assert (tmp_path / f"{form}.txt").read_text("utf-8") == shown


@pytest.mark.parametrize(
    ("name", "form"), [("x.json", "json"), ("x.csv", "csv"), ("x.md", "markdown"), ("x", "table")]
)
def test_the_ending_tells_the_format(program, tmp_path, name, form):
    program.ok(*KV, "-o", name)
    assert (tmp_path / name).read_text("utf-8") == program.ok(*KV, "--format", form).out


def test_an_existing_file_is_kept(program, file, tmp_path):
    path = file("there.json", "precious")
    found = program.refused(ExitStatus.USAGE, *KV, "-o", path)
    assert "--force" in found.err
    assert path.read_text("utf-8") == "precious"
    program.ok(*KV, "-o", path, "--force")
    assert path.read_text("utf-8").startswith("{")
    assert [each.name for each in tmp_path.iterdir()] == ["there.json"]


def test_a_link_is_followed_and_not_overwritten_unasked(program, file, tmp_path):
    path = file("there.json", "precious")
    link = tmp_path / "link.json"
    link.symlink_to("there.json")
    program.refused(ExitStatus.USAGE, *KV, "-o", link)
    program.ok(*KV, "-o", link, "--force")
    assert link.is_symlink()
    assert path.read_text("utf-8").startswith("{")
    dangling = tmp_path / "dangling"
    dangling.symlink_to("nothing")
    program.refused(ExitStatus.USAGE, *KV, "-o", dangling)
    assert not (tmp_path / "nothing").exists()


def test_permissions(program, file, tmp_path):
    old = os.umask(0o027)
    try:
        program.ok(*KV, "-o", "new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    path = file("there", "x")
    path.chmod(0o600)
    program.ok(*KV, "-o", path, "--force")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_written_where_the_query_fails(program, tmp_path):
    program.refused(ExitStatus.USAGE, "params", "nope", "-o", "x.json")
    program.refused(ExitStatus.USAGE, "params", "nope", "-o", "x.json", "--force")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "status"),
    [
        *((name, ExitStatus.USAGE) for name in ("", "./", "folder", "nowhere/", "a\0b")),
        *((n, ExitStatus.CANNOT_WRITE) for n in ("nowhere/x", "there/x", "n" * 300, "/proc/x")),
    ],
)
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["kept", "forced"])
def test_places_that_cannot_be_written(program, file, tmp_path, place, status, force):
    file("there", "x")
    (tmp_path / "folder").mkdir()
    found = program.refused(status, *KV, "-o", place, *force)
    assert "-o" in found.err
    assert len(found.err) < 1000
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "there"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(program, tmp_path):
    (tmp_path / "folder").mkdir(mode=0o555)
    program.refused(ExitStatus.CANNOT_WRITE, *KV, "-o", "folder/x")


def test_control_characters_in_a_file_name(program):
    found = program.ok(*KV, "-o", "evil\x1b[31m.json")
    assert "\x1b" not in found.err


def test_the_minus_is_no_file(program, tmp_path):
    found = program(*KV, "-o", "-")
    assert found.status in (ExitStatus.OK, ExitStatus.USAGE)
    assert not (tmp_path / "-").exists()
    assert bool(found.out) == (found.status == ExitStatus.OK)


def test_force_alone(program):
    assert "-o" in program.refused(ExitStatus.USAGE, *KV, "--force").err


def test_a_device_is_written_to_and_stays(program):
    program.refused(ExitStatus.USAGE, *KV, "-o", "/dev/null")
    program.ok(*KV, "-o", "/dev/null", "--force")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_device(program):
    found = program.refused(ExitStatus.CANNOT_WRITE, *KV, "-o", "/dev/full", "--force")
    assert "/dev/full" in found.err

"""The example repository: its checks pass, and fail for the reason that a person would look for."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dsv3calc.__main__ import run
from dsv3calc.exit_status import ExitStatus

EXAMPLE = Path(__file__).parents[1] / "examples" / "ci"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    found = tmp_path / "repository"
    shutil.copytree(EXAMPLE, found)
    monkeypatch.chdir(found)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return found


@pytest.fixture
def check(capsys):
    def called(*arguments):
        status = run(["check", "numbers", *arguments])
        found = capsys.readouterr()
        return status, found.out + found.err

    return called


def edit(repository, old, new):
    path = repository / "models" / "our-model.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.usefixtures("repository")
def test_the_example_passes(check):
    status, out = check()
    assert status == ExitStatus.OK, out
    assert run(["presets", "validate", "models/our-model.yaml"]) == ExitStatus.OK


def test_a_change_of_the_model_is_named(repository, check):
    edit(repository, "n_routed_experts: 96", "n_routed_experts: 88")
    status, out = check("--format", "csv")
    assert status == ExitStatus.CHECK_FAILED
    assert "model.groups.1.feed_forward.n_routed_experts: 96 -> 88" in out
    # no budget breaks by fewer experts, and the cache does not depend on them
    moved = [line for line in out.splitlines() if ",moved," in line]
    assert {line.split(",")[0] for line in moved} == {"numbers/self.yaml"}
    assert "kv_cache" not in "".join(moved)


def test_a_budget_breaks(repository, check):
    edit(repository, "kv_lora_rank: 512", "kv_lora_rank: 640")
    status, out = check("--only", "kv_cache.bytes_per_token")
    assert status == ExitStatus.CHECK_FAILED
    assert "<= 42KB" in out
    assert "numbers/budgets.yaml:" in out
    assert "kv_lora_rank: 512 -> 640" in out


def test_an_update_accepts_numbers_and_no_budget(repository, check):
    edit(repository, "n_routed_experts: 96", "n_routed_experts: 104")
    budgets = (repository / "numbers" / "budgets.yaml").read_text()
    assert check("--update")[0] == ExitStatus.CHECK_FAILED
    assert (repository / "numbers" / "budgets.yaml").read_text() == budgets
    status, out = check()
    assert status == ExitStatus.CHECK_FAILED
    assert "numbers/self.yaml:" not in out
    assert "weights.bytes" in out


def test_an_error_in_the_model_breaks_rows(repository, check):
    edit(repository, "num_experts_per_tok: 6", "num_experts_per_tok: 600")
    assert check("--exit-zero")[0] == ExitStatus.INVALID_INPUT


def test_the_snapshot_is_what_the_commands_give(repository, capsys):
    """numbers/self.yaml is the snapshot of its own queries."""

    def read(text):
        # a formula that is only written in another way has another digest
        rows = yaml.safe_load(text)["goldens"]
        return [{**row, "made_from": bool(row["made_from"])} for row in rows]

    rows = read((repository / "numbers" / "self.yaml").read_text())
    quantities = [word for row in rows for word in ("--quantity", row["quantity"])]
    queries = dict.fromkeys(row["query"] for row in rows)
    assert run(["snapshot", *queries, *quantities]) == ExitStatus.OK
    assert read(capsys.readouterr().out) == rows


def shell(command, cwd):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [shutil.which("sh"), "-ec", command],
        cwd=cwd,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_gitlab_job(repository):
    job = yaml.safe_load((repository / ".gitlab-ci.yml").read_text())["numbers"]
    report = repository / job["artifacts"]["reports"]["junit"]
    for command in job["script"]:
        done = shell(command, repository)
        assert done.returncode == 0, done.stderr
    assert "<testsuites" in report.read_text()
    report.unlink()
    edit(repository, "kv_lora_rank: 512", "kv_lora_rank: 640")
    assert shell(job["script"][-1], repository).returncode == 1
    assert "<failure" in report.read_text()


def test_the_workflow_names_inputs_that_the_action_has(repository):
    workflow = yaml.safe_load((repository / ".github/workflows/numbers.yml").read_text())
    action = yaml.safe_load((EXAMPLE.parents[1] / "action.yml").read_text())
    (step,) = (step for step in workflow["jobs"]["check"]["steps"] if "/dsv3calc@" in step["uses"])
    assert set(step["with"]) <= set(action["inputs"])
    required = {name for name, each in action["inputs"].items() if each.get("required")}
    assert required <= set(step["with"])
    assert all((repository / file).exists() for file in step["with"]["files"].split())


def test_the_commands_of_the_readme(repository):
    text = (repository / "README.md").read_text()
    commands = [
        line
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("dsv3calc")
    ]
    assert len(commands) == 3
    for command in commands:
        assert shlex.split(command)[0] == "dsv3calc"
        done = shell(command, repository)
        assert done.returncode == 0, done.stderr

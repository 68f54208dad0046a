"""Points asked on a Dask cluster: the bytes of a plain run, also where a worker is killed."""

import importlib.util
import logging
import subprocess
import sys
from contextlib import contextmanager
from functools import partial

import pytest

import dsv3calc
from dsv3calc.api import parse_query
from dsv3calc.errors import UsageError
from dsv3calc.studies.sweep.answer import run_study

STUDY = """
name: cache
title: The cache of MLA
queries: [kv deepseek-v3]
axes:
  - {name: batch, option: batch, grid: [1, 4, 1]}
  - {name: context, option: context, log: [10, 1000000, 20]}
  - {name: kv, option: kv-dtype, values: [bf16, nope]}
outputs: {bytes: kv_cache.bytes}
where: ["bytes < 1e11"]
"""


def sweep(tmp_path, name, **options):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    ask = partial(dsv3calc.answer, preset_path=None)
    return run_study(str(path), str(tmp_path / name), "csv", ask=ask, parse=parse_query, **options)


@contextmanager
def workers_of(scheduler):
    """Start two workers, each a process."""
    words = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--nthreads", "1"]
    words += ["--no-nanny", "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen(words, **quiet) for _ in range(2)]
    try:
        yield started
    finally:
        for each in started:
            each.kill()
            each.wait()


def test_a_cluster_gives_the_same_bytes_where_a_worker_is_killed(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    sweep(tmp_path, "here.csv")
    seen = []
    with (
        distributed.LocalCluster(
            n_workers=0,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        workers_of(cluster.scheduler_address) as started,
    ):
        client.wait_for_workers(2)

        def killing(done, _every):
            seen.append(done)
            if len(seen) == 20:
                started[0].kill()

        sweep(tmp_path, "there.csv", scheduler=cluster.scheduler_address, progress=killing)
        assert started[1].poll() is None

        def killing_the_last(_done, _every):
            started[1].kill()

        monkeypatch.setattr("dsv3calc.studies.sweep.cluster._PATIENCE", 1)
        with pytest.raises(UsageError, match="its workers are gone"):
            sweep(
                tmp_path, "gone.csv", scheduler=cluster.scheduler_address, progress=killing_the_last
            )
        with pytest.raises(UsageError, match="it has no workers"):
            sweep(tmp_path, "none.csv", scheduler=cluster.scheduler_address)
    assert seen == [*range(1, 161)]
    sweep(tmp_path, "gone.csv", resume=True)
    for name in ("there.csv", "gone.csv"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "here.csv").read_bytes()


def test_without_a_scheduler_or_dask_nothing_is_asked(tmp_path, monkeypatch, caplog):
    if importlib.util.find_spec("distributed") is not None:
        caplog.set_level(logging.CRITICAL, "distributed")
        monkeypatch.setattr("dsv3calc.studies.sweep.cluster._PATIENCE", 1)
        with pytest.raises(UsageError, match=r"tcp://127\.0\.0\.1:9"):
            sweep(tmp_path, "out.csv", scheduler="tcp://127.0.0.1:9")
    monkeypatch.setattr("dsv3calc.studies.sweep.cluster.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="the extra dask") as error:
        sweep(tmp_path, "none.csv", scheduler="tcp://127.0.0.1:9")
    assert "dsv3calc[dask]" in error.value.hint
    assert not [*tmp_path.glob("none*")]

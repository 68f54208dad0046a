"""Points asked on the workers of a Dask cluster: each part of a chunk is a task of its own.

A task holds the study and two numbers, and returns the lines of its points: it reads no state and
leaves none, so it may run on any worker, and again where a worker was lost.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
from functools import lru_cache
from importlib.util import find_spec
from itertools import islice
from queue import Empty, Queue
from threading import Lock
from typing import TYPE_CHECKING, Any

from dsv3calc import __version__
from dsv3calc.errors import UsageError
from dsv3calc.reading.diagnostics import quote
from dsv3calc.studies.sweep.points import Points

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsv3calc.studies.sweep.chunks import Part
    from dsv3calc.studies.sweep.run import Asked

_PATIENCE = 20
"""Seconds in which a scheduler must answer and have a worker."""

_FEWEST = 4
_INSTALL = "install one version of dsv3calc[dask] for all of them"
_RESUME = "--resume goes on with what is kept"
_ONE_AT_A_TIME = Lock()
"""Queries compute in Python: threads of one worker would only wait for each other."""


def asked_by(address: str) -> Asked:
    """Return what asks about points on the workers of a scheduler.

    Raises
    ------
    UsageError
        If Dask Distributed is not installed.
    """
    if find_spec("distributed") is None:
        raise UsageError(
            "--scheduler needs Dask Distributed, the extra dask",
            "python -m pip install 'dsv3calc[dask]', also for the workers",
        )

    def asked(points: Points, parts: Iterator[Part]) -> Iterator[tuple[Part, Iterable[str]]]:
        from distributed import Client  # type: ignore[import-not-found, unused-ignore]

        try:
            client = Client(address, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:  # TypeError: an address of TLS
            raise UsageError(
                f"--scheduler {quote(address)}: {error or 'no scheduler answers'}",
                "dask scheduler starts one and prints its address",
            ) from None
        with client:
            _check_workers(client, address)
            study = pickle.dumps((points.study, points.ask, points.parse, points.source))
            waiting: dict[Any, Part] = {}
            done: Queue[Any] = Queue()

            def send() -> None:
                most = max(_FEWEST, 2 * sum(client.nthreads().values()))
                for part in islice(parts, max(0, most - len(waiting))):
                    future = client.submit(lines_of, study, __version__, *part, pure=False)
                    waiting[future] = part
                    future.add_done_callback(done.put)

            send()
            while waiting:
                future = _next(done, client, address)
                yield waiting.pop(future), _result(future, address)
                send()

    return asked


def _check_workers(client: Any, address: str) -> None:
    """Wait for a worker, and refuse those that cannot ask.

    Raises
    ------
    UsageError
        If there is none, or one has no dsv3calc or another version.
    """
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError:
        raise UsageError(
            f"--scheduler {quote(address)}: it has no workers", f"dask worker {address}"
        ) from None
    workers = client.get_versions(packages=["dsv3calc"])["workers"]
    for worker, found in workers.items():
        version = found["packages"].get("dsv3calc") if found else None
        if version != __version__:
            has = f"dsv3calc {version}, not {__version__}" if version else "no dsv3calc"
            raise UsageError(f"the worker {worker} has {has}", _INSTALL)


def _next(done: Queue[Any], client: Any, address: str) -> Any:
    """Return a task that is done.

    Raises
    ------
    UsageError
        If there is none for a while, and no worker either.
    """
    while True:
        try:
            return done.get(timeout=_PATIENCE)
        except Empty:
            if not client.nthreads():
                raise UsageError(
                    f"--scheduler {quote(address)}: its workers are gone", _RESUME
                ) from None


def _result(future: Any, address: str) -> list[str]:
    """Return the lines of a task.

    Raises
    ------
    UsageError
        If the connection or several workers were lost, or they have another version.
    """
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    try:
        found: list[str] = future.result()
    except KilledWorker:
        what = "workers were lost again and again over the same points"
    except (CancelledError, OSError):
        what = "the connection was lost"
    else:
        return found
    raise UsageError(f"--scheduler {quote(address)}: {what}", _RESUME)


def lines_of(study: bytes, version: str, first: int, stop: int) -> list[str]:
    """Ask about some points of a study, on a worker.

    Raises
    ------
    UsageError
        If the worker has another version of dsv3calc.
    """
    if version != __version__:  # one that joined later
        raise UsageError(f"a worker has dsv3calc {__version__}, not {version}", _INSTALL)
    with _ONE_AT_A_TIME:
        return list(_points(study).lines(first, stop))


@lru_cache(maxsize=1)
def _points(study: bytes) -> Points:
    """Return the points of a study: tasks of one sweep have the same."""
    return Points(*pickle.loads(study))  # noqa: S301 - what the client made

"""Failures of a training run: how often it stops, when to write a checkpoint, what share is lost.

Times are in seconds; an hour of one GPU is 3,600 seconds of GPU time.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import BytesPerSecond, Count, FractionalBytes, Ratio, Seconds
from dsv3calc.numbers.ops import ceil_div, ratio


@formula(r"H_\mathrm{event}")
def observed_event_gpu_time(job_gpus: Count, observed_seconds: Seconds, events: Count) -> Seconds:
    r"""Give the GPU time of a job for each event that was observed.

    .. math:: H_\mathrm{event} = \frac{G_\mathrm{job} t_\mathrm{seen}}{n_\mathrm{event}}

    Parameters
    ----------
    job_gpus
        GPUs of the job.
    observed_seconds
        Time over which events were counted.
    events
        Events in that time.

    Returns
    -------
    GPU time for each event, on average.

    Notes
    -----
    Events are equally likely on every GPU at every time, so a job of another size has as many in
    the same GPU time.

    Examples
    --------
    Llama 3 405B: 419 unexpected interruptions in 54 days on 16,384 GPUs, in GPU hours:

    >>> round(observed_event_gpu_time(16384, 54 * 86400, 419) / 3600)
    50677

    Source
    ------
    Derived here; the counts are those of arXiv:2407.21783 section 3.3.4.
    """
    return ratio(job_gpus * observed_seconds, events)


@formula(r"t_\mathrm{mtbf}")
def mean_time_between_failures(event_gpu_time: Seconds, job_gpus: Count) -> Seconds:
    r"""Give the mean time between interruptions of a job.

    .. math:: t_\mathrm{mtbf} = \frac{H_\mathrm{ev}}{G_\mathrm{job}}

    Parameters
    ----------
    event_gpu_time
        GPU time for each interruption.
    job_gpus
        GPUs of the job.

    Returns
    -------
    Mean time from one interruption to the next.

    Notes
    -----
    One failure stops the whole job. Failures are independent of each other.

    Examples
    --------
    2,048 GPUs that fail at the rate of Llama 3's, in hours:

    >>> round(mean_time_between_failures(50676 * 3600, 2048) / 3600, 2)
    24.74

    Source
    ------
    Derived here.
    """
    return ratio(event_gpu_time, job_gpus)


@formula(r"N_\mathrm{writer}")
def checkpoint_writers(job_gpus: Count, node_size: Count) -> Count:
    r"""Count the nodes of a job.

    .. math:: N_\mathrm{writer} = \lceil G_\mathrm{job} / n_\mathrm{node} \rceil

    Parameters
    ----------
    job_gpus
        GPUs of the job.
    node_size
        GPUs of a node.

    Returns
    -------
    Nodes, the last of which may have GPUs of other jobs.

    Notes
    -----
    Each node has one link to the storage.

    Examples
    --------
    >>> checkpoint_writers(2048, 8)
    256

    Source
    ------
    Derived here.
    """
    return ceil_div(job_gpus, node_size)


@formula(r"\delta_\mathrm{ckpt}", "storage_bandwidth > 0")
def checkpoint_time(
    checkpoint_bytes: FractionalBytes, writers: Count, storage_bandwidth: BytesPerSecond
) -> Seconds:
    r"""Give the time to write or to read a checkpoint.

    .. math:: \delta_\mathrm{ckpt} = \frac{B_\mathrm{ckpt}}{n_\mathrm{writer} \beta_\mathrm{store}}

    Parameters
    ----------
    checkpoint_bytes
        Bytes of a checkpoint.
    writers
        Nodes that write it.
    storage_bandwidth
        Bandwidth of a node to the storage.

    Returns
    -------
    Time, at least.

    Notes
    -----
    Nodes write equal parts at the full bandwidth of their links to the storage, which keeps up.
    Training waits meanwhile.

    Examples
    --------
    5.4 TB from 256 nodes with a NIC of 50 GB/s each:

    >>> round(checkpoint_time(5.4e12, 256, 50e9), 3)
    0.422

    Source
    ------
    Derived here; the NIC for storage is that of arXiv:2505.09343 section 5.1.
    """
    return ratio(checkpoint_bytes, writers * storage_bandwidth)


@formula(r"\tau_\mathrm{best}")
def best_checkpoint_interval(checkpoint_seconds: Seconds, mtbf: Seconds) -> Seconds:
    r"""Give the time between checkpoints at which the least work is lost.

    .. math:: \tau_\mathrm{best} = (2 t_\mathrm{ckpt} t_\mathrm{fail})^{0.5}

    Parameters
    ----------
    checkpoint_seconds
        Time for which a checkpoint stops training.
    mtbf
        Mean time between interruptions.

    Returns
    -------
    Interval between checkpoints.

    Notes
    -----
    First order: a checkpoint takes much less than the mean time between interruptions. It is
    where the derivative of the useful share is 0.

    Examples
    --------
    A checkpoint of 30 s and an interruption every 3.1 hours, in minutes:

    >>> round(best_checkpoint_interval(30, 3.1 * 3600) / 60, 1)
    13.6

    Source
    ------
    Young, CACM 17 (1974); Daly, FGCS 22 (2006), equation 6.
    """
    return (2 * checkpoint_seconds * mtbf) ** 0.5


@formula(r"u_\mathrm{run}", "mtbf > 0", "interval_seconds > 0", result=("result <= 1",))
def useful_share(
    checkpoint_seconds: Seconds,
    interval_seconds: Seconds,
    restart_seconds: Seconds,
    mtbf: Seconds,
) -> Ratio:
    r"""Give the share of a run's time that is not lost to checkpoints and interruptions.

    .. math::

        u_\mathrm{run} = 1 - \frac{t_\mathrm{ckpt}}{\tau} - \frac{\frac{\tau}{2} +
            t_\mathrm{restart}}{t_\mathrm{fail}}

    Parameters
    ----------
    checkpoint_seconds
        Time for which a checkpoint stops training.
    interval_seconds
        Interval between checkpoints.
    restart_seconds
        Time from an interruption until training goes on, loading included.
    mtbf
        Mean time between interruptions.

    Returns
    -------
    Share of the time; below 0 where a run makes no progress.

    Notes
    -----
    First order: an interruption falls in the middle of an interval on average, and a second one
    before the next checkpoint is rare.

    Examples
    --------
    >>> round(useful_share(30, 818, 600, 3.1 * 3600), 4)
    0.8729

    Source
    ------
    Young, CACM 17 (1974); Daly, FGCS 22 (2006).
    """
    lost = ratio(interval_seconds, 2) + restart_seconds
    return 1 - ratio(checkpoint_seconds, interval_seconds) - ratio(lost, mtbf)

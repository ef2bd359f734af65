"""Workers of Dask: those of this machine, or those of a cluster that runs already."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from segraft.errors import NO_BLOCKS, UserError
from segraft.terminal.progress import say

THREADS = "OMP_NUM_THREADS"
RULES = {
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,  # nothing is kept in workers
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 1.0,
    "distributed.scheduler.allowed-failures": 3,
    f"distributed.nanny.pre-spawn-environ.{THREADS}": 1,
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,  # Dask's is slow: all arrays are new pages
    "distributed.nanny.pre-spawn-environ.MALLOC_ARENA_MAX": 1,  # a thread works; one of its own would hold what is free
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
}
"""Of workers on this machine: one that takes more memory than it was given is ended, and its block tried again."""
STARTS = 3
"""How often workers of this machine are started, if one of them dies meanwhile."""
SHARE = 0.9
"""Of the memory of a worker of a cluster, what a task may take: Dask pauses or ends workers that have little left."""
WAIT = "10s"
"""For a scheduler to answer."""
VERSION = version("segraft")
LOGGERS = ("distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application", "asyncio")
"""What Dask says of lost connections and workers; a run says itself what came of it."""
LEAKS = "ignore:resource_tracker:UserWarning"
"""Python's remark on what processes that were killed have left, which it then clears away."""


def refuse_import() -> None:
    """End a worker that begins to do what its parent does, as it runs a script without ``if __name__ == …``."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)  # the parent says why


@contextmanager
def workers(scheduler: str | None, count: int, memory: float, patience: float) -> Iterator[Any]:
    """Yield a client of ``count`` processes of this machine with so many bytes each, or of the cluster at an address.

    Raises ``UserError`` where no scheduler answers, where no worker comes for so many seconds, and where a worker has
    another version of this package.
    """
    with _silence(), _connected(scheduler, patience) if scheduler else _started(count, memory) as client:
        if client.dashboard_link:
            hint = "" if find_spec("bokeh") else " (which needs the package bokeh)"
            say(f"{len(client.nthreads())} workers; dashboard: {client.dashboard_link}{hint}")
        yield client


def check_installed() -> None:
    """Raise ``UserError`` where Dask is not there."""
    if find_spec("distributed") is None:
        raise UserError(NO_BLOCKS)


def memory_of(scheduler: str, patience: float) -> float:
    """Bytes that a task may take on each worker of a cluster. Raises ``UserError`` where the workers do not tell."""
    with _silence(), _connected(scheduler, patience) as client:
        told = client.scheduler_info(n_workers=-1)["workers"].values()  # some versions tell of five
    least = min((each["memory_limit"] or 0) / each["nthreads"] for each in told)
    if not least:
        raise UserError(
            f"max_memory: got none, and workers of {scheduler} without a limit, expected gigabytes of each worker; "
            "give --max-memory"
        )
    return SHARE * least


@contextmanager
def _silence() -> Iterator[None]:
    """Keep Dask's own messages from the user."""
    import distributed  # noqa: F401 it sets up its loggers

    before = {name: logging.getLogger(name).level for name in LOGGERS}
    warned = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = f"{warned},{LEAKS}" if warned else LEAKS
    try:
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
        os.environ.pop("PYTHONWARNINGS")
        if warned:
            os.environ["PYTHONWARNINGS"] = warned


@contextmanager
def _connected(address: str, patience: float) -> Iterator[Any]:
    """A client of a cluster that runs and has workers, or gets one within some seconds."""
    from distributed import Client

    try:
        client = Client(address, timeout=WAIT)
    except (OSError, ValueError, TimeoutError) as error:
        raise UserError(
            f"scheduler {address} does not answer ({_words(error)}), expected a running one, tcp://HOST:8786; start "
            "it (dask scheduler), or check the address"
        ) from error
    try:
        _check_workers(client, address, patience)
        yield client
    finally:
        with suppress(Exception):  # it may be gone
            client.close()


def _check_workers(client: Any, address: str, patience: float) -> None:
    """Raise ``UserError`` where a cluster has no workers, or one with another version of this package, or none."""
    if not client.nthreads():
        say(f"waiting for a first worker of {address}, {patience:.0f} s at most")
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError as error:
        raise UserError(
            f"scheduler {address} has no workers, expected one at least; start some: dask worker {address} --nthreads 1"
        ) from error
    for worker, found in client.run(_version).items():
        if found != VERSION:
            raise UserError(f"worker {worker} has segraft {found}, expected {VERSION} as here; install it there")


def _version() -> str:
    """Of the package where this runs."""
    return VERSION


@contextmanager
def _started(count: int, memory: float) -> Iterator[Any]:
    """A client of processes of this machine, which end with it."""
    import dask
    from distributed import Client

    with dask.config.set(RULES):
        with _uninterrupted(), _one_thread():
            cluster = _local(count, memory)
        with cluster, Client(cluster) as client:
            try:
                yield client
            except BaseException:
                _end(cluster)
                raise


def _local(count: int, memory: float) -> Any:
    """Start processes of this machine."""
    from distributed import LocalCluster

    for turn in range(1, STARTS + 1):
        try:
            return LocalCluster(n_workers=count, threads_per_worker=1, memory_limit=int(memory), dashboard_address=":0")
        except RuntimeError as error:
            if turn == STARTS:
                raise UserError(
                    f"blocks: workers could not be started ({_words(error)}), expected {count} processes; a script "
                    'that predicts in blocks does so below the line: if __name__ == "__main__":'
                ) from None
    return None


@contextmanager
def _one_thread() -> Iterator[None]:
    """Workers that are started meanwhile use a core each: Dask would prefer what the environment says to its rules."""
    before = os.environ.pop(THREADS, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[THREADS] = before


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Threads and processes that are started meanwhile hear no Ctrl-C: this thread does, a little later, for all.

    Nor SIGTERM, by which a worker that takes too much memory would end in order, not to be started again.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(cluster: Any) -> None:
    """End the workers at once, in whatever they do: results are written completely or not at all."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        if nanny.pid:
            with suppress(OSError):
                os.kill(nanny.pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__

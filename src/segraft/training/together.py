"""Processes that train together: who started them, and that the error of one ends all, told once by the first.

Lightning starts the others, unless torchrun or Slurm's srun did. A process that fails tells the first one why, through
the store at which they met, and leaves: the others then fail, too, in what they exchange.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from subprocess import Popen, TimeoutExpired

import lightning
from lightning.pytorch.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from torch import distributed

from segraft import ranks
from segraft.errors import UserError

FAILED, HEARD = "segraft/failed", "segraft/heard"
"""Keys of the store: why a process failed, and that the first one knows."""
PATIENCE = 60.0
"""Seconds after which a process that failed waits no more to be heard, and tells the user itself."""
MOMENT = 5.0
"""Seconds in which the others end by themselves."""


def environment() -> ClusterEnvironment:
    """What lets the processes of a training meet: torchrun, srun, or Lightning, which then starts the others."""
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    return SLURMEnvironment(auto_requeue=False) if _by_srun() else LightningEnvironment()


def _by_srun() -> bool:
    """Whether srun started this process among others, and not a job's script by itself."""
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1


def machines(devices: int) -> int:
    """Number of machines that the processes of a training are on: 1, unless torchrun or srun started them.

    Raises ``UserError`` where these started another number of processes than ``devices``.
    """
    if TorchElasticEnvironment.detect():
        name, processes, nodes = "torchrun", "WORLD_SIZE", "GROUP_WORLD_SIZE"
    elif _by_srun():
        name, processes, nodes = "srun", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_NODES"
    else:
        return 1
    started, count = (int(os.environ.get(variable, 1)) for variable in (processes, nodes))
    if started != devices or devices % count:
        raise UserError(
            f"devices: got {devices}, expected {started}, as many as {name} started on {count} machines, the same "
            f"number on each; give --devices {started}, or start others"
        )
    on_each = os.environ.get("SLURM_NTASKS_PER_NODE", "none")
    if name == "srun" and on_each != str(devices // count):  # Lightning asks for it
        raise UserError(f"ntasks-per-node: got {on_each}, expected {devices // count}; give it to sbatch or srun")
    return count


@contextmanager
def together(trainer: lightning.Trainer, command: str) -> Iterator[None]:
    """End all processes where one fails, with its error, which the first process raises and the others leave to it.

    ``command`` says how to go on where a process ended without a word. Afterwards each process is alone.
    """
    if trainer.num_devices * trainer.num_nodes > 1:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # of those that are started; else C++ tells of it, too
    try:
        yield
    except Exception as error:
        if trainer.num_devices * trainer.num_nodes == 1:
            raise
        if not trainer.is_global_zero:
            _tell(error)
            raise
        answer = _heard(error, command)
        _end_others(trainer)
        if answer is error:
            raise
        raise answer from None
    finally:
        if ranks.count() > 1:
            distributed.destroy_process_group()


def _lost(error: BaseException) -> bool:
    """Whether an error says that another process has left."""
    return isinstance(error, distributed.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


def _store() -> distributed.TCPStore:
    """The store at which the processes met."""
    place, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return distributed.TCPStore(place, port, is_master=False, timeout=timedelta(seconds=MOMENT))


def _tell(error: Exception) -> None:
    """Tell the first process why this one fails, and end this one quietly; return where nobody listens."""
    if ranks.count() == 1:  # they have not met
        if _lost(error):
            raise SystemExit(1)  # and never will
        return
    if not _lost(error):
        if not isinstance(error, UserError):
            traceback.print_exc()
        if not _told(error):
            return
    raise SystemExit(0)  # the first process speaks, or is gone


def _told(error: Exception) -> bool:
    """Whether the first process will know of an error: with gloo as soon as this process ends."""
    known = isinstance(error, UserError)
    text = str(error) if known else f"process {ranks.number()} failed: {_in_a_line(error)}; see above"
    try:
        store = _store()
        store.compare_set(FAILED, "", json.dumps({"text": text, "code": getattr(error, "code", UserError.code)}))
        end = time.monotonic() + PATIENCE
        while distributed.get_backend() == "nccl" and not store.check([HEARD]):
            if time.monotonic() > end:
                return False  # it waits for ever, and Lightning ends it when this process ends with an error
            time.sleep(0.1)
    except (distributed.DistError, RuntimeError):
        return False
    return True


def _heard(error: Exception, command: str) -> Exception:
    """What ended the training: the first process's own error, or that of another."""
    if ranks.count() == 1 and not _lost(error):
        return error
    told = None
    with suppress(distributed.DistError, RuntimeError):
        store = _store()
        if _lost(error) and store.check([FAILED]):
            told = json.loads(store.get(FAILED))
        store.set(HEARD, "1")
    if not _lost(error):
        return error
    if told is None:
        text = "one of the processes that train together ended without a word, expected none to (out of memory?)"
        return UserError(f"{text}; go on with: {command}")
    answer = UserError(told["text"])
    answer.code = told["code"]
    return answer


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _end_others(trainer: lightning.Trainer) -> None:
    """End the processes that Lightning started, which may wait for this one."""
    started: list[Popen[bytes]] = getattr(trainer.strategy.launcher, "procs", [])
    others = list(started)
    started.clear()  # Lightning kills this process, too, where one of these ends with an error
    end = time.monotonic() + MOMENT
    for process in others:
        with suppress(TimeoutExpired):
            process.wait(max(0.0, end - time.monotonic()))
        process.kill()
        process.wait()

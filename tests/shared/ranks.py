"""Processes that train together, forked from here, so that nothing is imported again."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import socket
import traceback
from collections.abc import Callable
from typing import Any

from lightning.pytorch.utilities import rank_zero_only
from torch import distributed


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


def on_ranks(work: Callable[[], Any], ranks: int = 2, meet: bool = True, seconds: float = 100) -> list[Any]:
    """What ``work`` returns in each of several processes; an exception, ``SystemExit`` too, in place of that.

    None of one that was killed.

    They meet at once, or find what Lightning needs to let them meet, as processes of one launcher do.
    """
    context, port, ends, others = multiprocessing.get_context("fork"), free_port(), [], []
    for rank in range(ranks):
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_one, args=(work, rank, ranks, port, meet, there))
        process.start()
        there.close()
        ends.append(here)
        others.append(process)
    try:
        assert all(end.poll(seconds) for end in ends), "a rank hangs"
        return [_received(end) for end in ends]
    finally:
        for process in others:
            process.join(10)
            process.kill()


def _received(end: Any) -> Any:
    try:
        return pickle.loads(end.recv_bytes())
    except EOFError:
        return None


def _one(work: Callable[[], Any], rank: int, ranks: int, port: int, meet: bool, there: Any) -> None:
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "NODE_RANK": 0}
    os.environ.update({name: str(value) for name, value in place.items()})
    rank_zero_only.rank = rank
    if meet:
        distributed.init_process_group("gloo", rank=rank, world_size=ranks)
    try:
        found = work()
    except BaseException as error:
        traceback.print_exc()
        found = error
    there.send_bytes(pickle.dumps(found))  # not by shared memory, which ends with this process
    there.close()
    os._exit(0)  # nothing of the tests' process is torn down

"""Make the shards of a data set on the machines of a Ray cluster.

The unit is a shard, and the function is the one that the processes of one machine call: Ray only
decides where it runs. So streaming, back-pressure and the repetition of what a lost machine did are
Ray's, and the files are the same byte for byte.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import Any

import torch

from realdeg import errors
from realdeg.apis.dataset_shards import ShardMaker, ShardOutcome, versions_of
from realdeg.apis.degrader import Degrader
from realdeg.apis.folder import Failure
from realdeg.errors import ConfigError, LostProcessError, OutputError, RealdegError, first_line
from realdeg.synthesis.plan import PLAN_NAME
from realdeg.utils.extras import needed
from realdeg.utils.files import sha256_file

_BLOCKS = 4096
"""Ray repeats a block as a whole, and keeps a note of each: one shard each up to this number."""
_ATTEMPTS = 6
"""Ray repeats forever what ends its process, and machines are lost; more often, it is the shard."""


def outcomes_on_ray(
    maker: ShardMaker,
    shards: Sequence[str],
    *,
    address: str | None = None,
    most: int | None = None,
    device: str = "cpu",
) -> Iterator[tuple[str, ShardOutcome]]:
    """Make shards in a pool of Ray's actors, one core or one GPU each.

    Args:
        maker: Makes a shard; it is pickled once and sent to every machine.
        shards: Numbers of the shards.
        address: Of the cluster, ``"auto"`` for the one that this machine belongs to; None: as Ray
            decides (``RAY_ADDRESS``, this machine's cluster, or a new one of this machine alone).
        most: The largest number of actors; None: one for each core, or GPU, of the cluster.
        device: ``"cpu"`` or ``"cuda"``.

    Yields:
        Every shard with its outcome, as they finish.

    Raises:
        ConfigError: If Ray is not installed, there is no such cluster, the cluster has no GPU, or a
            machine has other versions of the packages that results depend on.
        OutputError: If a machine does not see the folder of the data set, or cannot write there.
        LostProcessError: If Ray gives up.
    """
    # Of warnings about Ray's own actors; its errors are raised.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray = needed("ray", "ray", "the engine ray")
    needed("ray.data", "ray", "the engine ray")
    with _connected(ray, address):
        resource = "CPU" if device == "cpu" else "GPU"
        available = int(ray.cluster_resources().get(resource, 0))
        if not available:
            raise ConfigError(
                f"the Ray cluster has no {resource}: add machines that have one, or choose another"
                " device."
            )
        blocks = min(len(shards), _BLOCKS)
        pool = ray.data.ActorPoolStrategy(
            # With fewer machines than actors, the pool shrinks instead of waiting.
            min_size=1,
            max_size=min(blocks, most or available),
        )
        begun = _count_on_ray(ray)
        arguments = ([ray.put(maker), begun], versions_of(maker.sink), device, os.getcwd())
        done = ray.data.from_items(list(shards), override_num_blocks=blocks).map_batches(
            _ShardActor,
            batch_size=1,
            compute=pool,
            fn_constructor_args=arguments,
            num_cpus=1 if resource == "CPU" else 0,
            num_gpus=1 if resource == "GPU" else 0,
        )
        try:
            for row in done.iter_rows():
                shard, answer = str(row["shard"]), json.loads(row["answer"])
                if "error" in answer:
                    # Other packages may have errors of their own.
                    raise getattr(errors, answer["error"], RealdegError)(answer["message"])
                yield shard, ShardOutcome.from_plain(answer)
        except ray.exceptions.RayError as error:
            raise LostProcessError(
                f"Ray gave up ({first_line(error)}): what is done is kept, and the same command"
                " makes the rest. `ray status` and Ray's logs tell why its processes ended."
            ) from error


class _ShardActor:
    """Makes shards in a process of its own, on any machine.

    Args:
        shared: Ray's references to what makes a shard, and to the :class:`_Count`.
        versions: Of the packages that results depend on, where the run was started.
        device: ``"cpu"`` or ``"cuda"``.
        folder: Where the run was started, which relative paths refer to.
    """

    def __init__(
        self, shared: list[Any], versions: dict[str, str], device: str, folder: str
    ) -> None:
        import cv2

        torch.set_num_threads(1)
        cv2.setNumThreads(0)
        with suppress(OSError):  # absolute paths do without
            os.chdir(folder)
        self.wait_for = needed("ray", "ray", "the engine ray").get
        self.maker: ShardMaker = self.wait_for(shared[0])
        self.begun = shared[1]
        self.versions, self.device, self.checked = versions, device, False

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Make the shards of a batch; an error that a user can fix is an answer as well."""
        shards = [str(shard) for shard in batch["item"]]
        return {"shard": shards, "answer": [json.dumps(self._answer(shard)) for shard in shards]}

    def _answer(self, shard: str) -> dict[str, Any]:
        try:
            if not self.checked:
                self._check_machine()
            attempts = self.wait_for(self.begun.add.remote(shard))
            if attempts <= _ATTEMPTS:
                return asdict(self.maker(shard))
        except RealdegError as error:
            return {"error": type(error).__name__, "message": str(error)}
        reason = f"its process ended {_ATTEMPTS} times: it may need more memory than there is."
        return asdict(ShardOutcome(failed=[Failure(f"shard {shard}", reason)]))

    def _check_machine(self) -> None:
        """Refuse a machine whose results would differ or be lost, and move to the device."""
        maker, host = self.maker, socket.gethostname()
        here = versions_of(maker.sink)
        for name, version in self.versions.items():
            if here.get(name) != version:
                raise ConfigError(
                    f"{host} has {name} {here.get(name)}, and the run was started with {version}:"
                    " results would differ. Install the same versions on every machine."
                )
        file = maker.root / PLAN_NAME
        if not file.is_file() or sha256_file(file) != maker.settings:
            raise OutputError(
                f"{host} does not see the folder {os.path.abspath(maker.root)}: every machine has"
                " to find the inputs and the data set in a common folder with the same path."
            )
        if self.device != "cpu":
            former = maker.work.degrader
            moved = Degrader(former.degradation, device=self.device, colour=former.colour)
            self.maker = replace(maker, work=replace(maker.work, degrader=moved))
        self.checked = True


class _Count:
    """Counts in one place how often each shard was begun."""

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}

    def add(self, shard: str) -> int:
        """Count a shard; return how often it has been."""
        self.begun[shard] = self.begun.get(shard, 0) + 1
        return self.begun[shard]


def _count_on_ray(ray: Any) -> Any:
    """Start a count on the machine of this process, which lives as long as the run."""
    here = ray.get_runtime_context().get_node_id()
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, soft=False)
    return ray.remote(_Count).options(num_cpus=0, scheduling_strategy=strategy).remote()


@contextmanager
def _connected(ray: Any, address: str | None) -> Iterator[None]:
    """Join a cluster for the block, unless the program has joined one."""
    if ray.is_initialized():
        yield
        return
    import logging

    _check_reachable(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        named = "a Ray cluster" if address is None else f"the Ray cluster {address!r}"
        raise ConfigError(
            f"cannot join {named} ({first_line(error)}): start one with `ray start --head`, or give"
            " the address of one that runs."
        ) from error
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False  # there is one for shards
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Refuse an address where nobody listens, for which Ray would wait for many minutes."""
    host, colon, port = (address or "").rpartition("://")[2].rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"nothing answers at {address} ({first_line(error)}): start a Ray cluster there with"
            " `ray start --head`, or give the address of one that runs."
        ) from error

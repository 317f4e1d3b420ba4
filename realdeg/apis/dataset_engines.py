"""Who makes the shards of a data set: processes of this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from realdeg.apis.dataset_shards import ShardMaker, ShardOutcome
from realdeg.apis.folder import Failure
from realdeg.apis.workers import WorkerDiedError, process_items, threads_of_torch, usable_cores
from realdeg.errors import ConfigError, as_given
from realdeg.utils.progress import progress_bar

Engine = Literal["local", "ray"]


def check_engine(engine: str, address: str | None) -> None:
    """Refuse an unknown engine, and an address without a cluster.

    Raises:
        ConfigError: If it is unknown.
    """
    if engine not in ("local", "ray"):
        raise ConfigError(f"the engine must be 'local' or 'ray', got {engine!r:.40}.")
    if address is not None and engine != "ray":
        raise ConfigError(
            f"{as_given(address=address)} is that of a Ray cluster: add {as_given(engine='ray')}."
        )


def run_shards(
    maker: ShardMaker,
    shards: Sequence[str],
    engine: Engine,
    *,
    jobs: int | None,
    device: str,
    address: str | None = None,
    progress: bool = True,
) -> list[ShardOutcome]:
    """Make shards, each in one process with one thread.

    Args:
        maker: Makes one.
        shards: Their numbers.
        engine: ``"local"``: processes of this machine; ``"ray"``: actors of a Ray cluster.
        jobs: The most processes; None: one for each core (of Ray with CUDA: GPU). On this machine,
            devices that are not the CPU are used by one process.
        device: The type of the device.
        address: Of the Ray cluster.
        progress: Show a progress bar on stderr.

    Returns:
        An outcome for each shard.

    Raises:
        ConfigError: If the cluster cannot be used.
        LostProcessError: If the cluster loses the process of a shard again and again.
        OutputError: If a file cannot be written.
    """
    outcomes: list[ShardOutcome] = []
    if not shards:  # a job beyond the last shard, for which no cluster is needed
        return outcomes
    with progress_bar("degrading", len(shards), shown=progress) as advance:
        if engine == "ray":
            from realdeg.apis.dataset_ray import outcomes_on_ray  # needs an optional package

            done = outcomes_on_ray(maker, shards, address=address, most=jobs, device=device)
        else:
            cores = usable_cores() if jobs is None else jobs
            done = _outcomes_here(maker, shards, cores if device == "cpu" else 1)
        for number, (_, outcome) in enumerate(done, start=1):
            outcomes.append(outcome)
            advance(number)
    return outcomes


def _outcomes_here(
    maker: ShardMaker, shards: Sequence[str], jobs: int
) -> Iterator[tuple[str, ShardOutcome]]:
    with threads_of_torch(1):
        for shard, outcome in process_items(shards, maker, jobs):
            if isinstance(outcome, WorkerDiedError):
                outcome = ShardOutcome(failed=[Failure(f"shard {shard}", str(outcome))])
            yield shard, outcome

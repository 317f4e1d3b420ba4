import itertools

import pytest
import torch
from torch.utils.data import DataLoader

from realdeg.datasets import (
    EvalSampler,
    HRFolderDataset,
    PairedFolderDataset,
    PositionSampler,
    collate_batch,
)
from realdeg.errors import ConfigError, DataError

TRAIN = [
    dict(type="PairedCrop", patch_size=16),
    dict(type="Flip", transpose=True),
    dict(type="PackSample"),
]


def pairs(root, **arguments):
    return PairedFolderDataset(
        "HR", "LR", scale=2, seed=5, data_root=root, transforms=TRAIN, **arguments
    )


def batches(dataset, count, *, total=4, workers=0, rank=0, world=1, start=0, seed=5):
    sampler = PositionSampler(dataset, total, seed, rank=rank, world_size=world)
    sampler.start(start)
    loader = DataLoader(
        dataset,
        total // world,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate_batch,
        persistent_workers=workers > 0,
    )
    return list(itertools.islice(loader, count))


def same(left, right):
    return (
        left["key"] == right["key"]
        and left["seeds"] == right["seeds"]
        and left["meta"] == right["meta"]
        and torch.equal(left["hr"], right["hr"])
        and torch.equal(left["lr"], right["lr"])
    )


@pytest.fixture
def reference(aligned_pairs):
    return batches(pairs(aligned_pairs), 5)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(aligned_pairs, reference, workers):
    found = batches(pairs(aligned_pairs), 5, workers=workers)
    assert all(map(same, reference, found))


def test_a_resume_changes_nothing(aligned_pairs, reference):
    assert all(map(same, reference[3:], batches(pairs(aligned_pairs), 2, start=3)))
    assert all(map(same, reference[3:], batches(pairs(aligned_pairs), 2, start=3, workers=1)))


def test_processes_share_the_same_batches(aligned_pairs, reference):
    parts = [batches(pairs(aligned_pairs), 5, rank=rank, world=2) for rank in range(2)]
    for whole, first, second in zip(reference, *parts, strict=True):
        assert whole["key"] == first["key"] + second["key"]
        assert whole["seeds"] == first["seeds"] + second["seeds"]
        assert torch.equal(whole["hr"], torch.cat([first["hr"], second["hr"]]))
    resumed = batches(pairs(aligned_pairs), 2, rank=1, world=2, start=3, workers=1)
    assert all(map(same, parts[1][3:], resumed))


def test_another_seed_changes_order_and_crops(aligned_pairs, reference):
    other = batches(pairs(aligned_pairs), 5, seed=6)
    assert [b["key"] for b in other] != [b["key"] for b in reference]


def test_no_epoch_repeats_the_crops_of_another(aligned_pairs):
    # Five pairs, batches of five: one epoch each. Persistent workers must not repeat either.
    for workers in (0, 1):
        seen = {}
        for batch in batches(pairs(aligned_pairs), 6, total=5, workers=workers):
            assert sorted(batch["key"]) == [f"scene{i}" for i in range(5)]
            for key, meta in zip(batch["key"], batch["meta"], strict=True):
                seen.setdefault(key, []).append((meta["crop"], meta["flip"]))
        for draws in seen.values():
            assert len(set(draws)) == len(draws)


def test_an_epoch_is_a_permutation():
    sampler = PositionSampler(range(7), 4, seed=1)
    drawn = list(itertools.islice(sampler, 28))
    assert [position for position, _ in drawn] == list(range(28))
    epochs = [[index for _, index in drawn[i : i + 7]] for i in range(0, 28, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert list(itertools.islice(sampler, 28)) == drawn
    in_order = PositionSampler(range(3), 2, seed=1, shuffle=False)
    assert [index for _, index in itertools.islice(in_order, 6)] == [0, 1, 2, 0, 1, 2]
    assert len(sampler) == 7


def test_every_first_place_is_equally_likely():
    counts = [0] * 5
    for seed in range(1000):
        counts[next(iter(PositionSampler(range(5), 1, seed=seed)))[1]] += 1
    assert sum((count - 200) ** 2 / 200 for count in counts) < 18.5  # 4 degrees, 99.9 %


def test_resuming_far_into_a_run_is_immediate():
    sampler = PositionSampler(range(459), 16, seed=0)
    sampler.start(10**7)
    assert next(iter(sampler))[0] == 16 * 10**7


def test_sampler_refusals():
    with pytest.raises(ConfigError, match="6 is not divisible by 4 processes"):
        PositionSampler(range(9), 6, seed=0, rank=0, world_size=4)
    with pytest.raises(DataError, match="empty"):
        PositionSampler([], 1, seed=0)


@pytest.mark.parametrize(("size", "world"), [(7, 1), (7, 2), (7, 3), (2, 3), (6, 3)])
def test_evaluation_covers_every_item_once_in_order(size, world):
    parts = [list(EvalSampler(range(size), rank=rank, world_size=world)) for rank in range(world)]
    assert sum(len(part) for part in parts) == size
    # What mmengine.dist.collect_results does: interleave, drop the gaps, cut to the size.
    merged = itertools.chain.from_iterable(itertools.zip_longest(*parts))
    assert [index for index in merged if index is not None][:size] == list(range(size))
    assert [len(EvalSampler(range(size), rank=r, world_size=world)) for r in range(world)] == [
        len(part) for part in parts
    ]


def test_through_mmengine(aligned_pairs):
    from mmengine.registry import DefaultScope
    from mmengine.runner import Runner

    with DefaultScope.overwrite_default_scope("realdeg"):
        loader = Runner.build_dataloader(
            dict(
                batch_size=4,
                num_workers=0,
                sampler=dict(type="PositionSampler", batch_size=4),
                collate_fn=dict(type="collate_batch"),
                dataset=dict(
                    type="PairedFolderDataset",
                    hr_dir="HR",
                    lr_dir="LR",
                    scale=2,
                    seed=5,
                    data_root=aligned_pairs,
                    transforms=TRAIN,
                ),
            ),
            seed=5,
        )
        assert same(next(iter(loader)), batches(pairs(aligned_pairs), 1)[0])
        evaluation = Runner.build_dataloader(
            dict(
                batch_size=1,
                sampler=dict(type="EvalSampler"),
                collate_fn=dict(type="collate_batch"),
                dataset=HRFolderDataset(aligned_pairs / "HR"),
            ),
            seed=5,
        )
        assert [batch["key"] for batch in evaluation] == [[f"scene{i}"] for i in range(5)]

import pytest
import torch

from realdeg.datasets import collate_batch
from realdeg.errors import DataError


def item(key, hr=(8, 8), lr=None):
    sample = dict(hr=torch.full((3, *hr), 0.5), key=key, meta={"camera": key}, seed=len(key))
    if lr is not None:
        sample["lr"] = torch.full((3, *lr), float(len(key)))
    return sample


def test_pairs():
    batch = collate_batch([item("a", lr=(4, 4)), item("bb", lr=(4, 4))])
    assert set(batch) == {"hr", "lr", "paired", "key", "meta", "seeds"}
    assert batch["hr"].shape == (2, 3, 8, 8) and batch["lr"].shape == (2, 3, 4, 4)
    assert batch["paired"].tolist() == [True, True] and batch["paired"].dtype == torch.bool
    assert batch["key"] == ["a", "bb"] and batch["seeds"] == [1, 2]
    assert batch["meta"] == [{"camera": "a"}, {"camera": "bb"}]


def test_hr_alone_and_mixed():
    assert collate_batch([item("a"), item("b")])["lr"] is None
    mixed = collate_batch([item("a"), item("bb", lr=(4, 4)), item("c"), item("dddd", lr=(4, 4))])
    assert mixed["paired"].tolist() == [False, True, False, True]
    assert mixed["lr"][:, 0, 0, 0].tolist() == [2, 4]


def test_refusals():
    with pytest.raises(DataError, match=r"HR of 'b' is \(3, 9, 8\) where 'a'.*batch_size=1"):
        collate_batch([item("a"), item("b", hr=(9, 8))])
    with pytest.raises(DataError, match=r"LR of 'b' is \(3, 2, 2\)"):
        collate_batch([item("a", lr=(4, 4)), item("b", lr=(2, 2))])
    with pytest.raises(DataError, match="ndarray, not a tensor.*PackSample"):
        collate_batch([item("a") | {"hr": torch.zeros(3).numpy()}])

from __future__ import annotations

import re

import pytest
import torch
from safetensors.torch import save_file

from realdeg import create_backbone
from realdeg.backbones import ESPCN, RCAN, VDSR, load_weights, read_weights
from realdeg.errors import CheckpointError
from realdeg.utils.component import save_component


def small(**settings):
    return RCAN(**{"num_groups": 2, "num_blocks": 2, "num_features": 8, "reduction": 2} | settings)


def to_basicsr(state):
    """Name a state dict of ``small()`` the way BasicSR does, written out by hand."""
    renamed = {}
    for name, value in state.items():
        if "_mean." in name:
            continue
        if name.startswith("head."):
            new = "conv_first." + name.split(".")[-1]
        elif name.startswith("tail.1."):
            new = "conv_last." + name.split(".")[-1]
        elif name.startswith("tail.0."):
            new = "upsample." + name.removeprefix("tail.0.")
        elif match := re.fullmatch(r"body\.2\.(\w+)", name):
            new = f"conv_after_body.{match[1]}"
        elif match := re.fullmatch(r"body\.(\d)\.body\.2\.(\w+)", name):
            new = f"body.{match[1]}.conv.{match[2]}"
        else:
            g, b, rest = re.fullmatch(r"body\.(\d)\.body\.(\d)\.body\.(.+)", name).groups()
            rest = rest.replace("3.conv_du.0", "3.attention.1")
            rest = rest.replace("3.conv_du.2", "3.attention.3")
            new = f"body.{g}.residual_group.{b}.rcab.{rest}"
        renamed[new] = value
    return renamed


def same(one, other):
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("wrapper", [None, "params", "params_ema", "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "module._orig_mod.", "_orig_mod.module."])
def test_wrappers_and_prefixes(tmp_path, wrapper, prefix):
    source, target = VDSR(depth=3, width=4), VDSR(depth=3, width=4)
    state = {prefix + name: value for name, value in source.state_dict().items()}
    path = tmp_path / "w.pth"
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 50}, path)
    load_weights(target, path)
    assert same(source, target)


def test_averaged_weights_come_first(tmp_path):
    source, other = VDSR(depth=2, width=2), VDSR(depth=2, width=2)
    torch.save(
        {"params": other.state_dict(), "params_ema": source.state_dict()}, tmp_path / "w.pth"
    )
    target = VDSR(depth=2, width=2)
    load_weights(target, tmp_path / "w.pth")
    assert same(source, target)


def test_bare_and_own_safetensors(tmp_path):
    source = small()
    save_file(source.state_dict(), tmp_path / "bare.safetensors")
    save_component(
        tmp_path / "own.safetensors",
        source,
        kind="backbone",
        type="RCAN",
        arguments=source.arguments,
    )
    for name in ("bare", "own"):
        target = small()
        load_weights(target, tmp_path / f"{name}.safetensors")
        assert same(source, target)


@pytest.mark.parametrize("form", [{}, {"scale": 2}, {"same_size": True}])
def test_basicsr_dialect(tmp_path, form):
    source = small(**form)
    torch.save({"params_ema": to_basicsr(source.state_dict())}, tmp_path / "net_g.pth")
    target = small(**form)
    load_weights(target, tmp_path / "net_g.pth")
    assert same(source, target)


def test_half_precision_weights_are_widened(tmp_path):
    source = small()
    half = {name: value.half() for name, value in source.state_dict().items()}
    torch.save(half, tmp_path / "half.pt")
    target = small()
    load_weights(target, tmp_path / "half.pt")
    assert {value.dtype for value in target.state_dict().values()} == {torch.float32}


def test_through_the_config(tmp_path):
    source = small(scale=2)
    path = tmp_path / "RCAN_BIX2.pt"
    torch.save(source.state_dict(), path)
    cfg = {**source.arguments, "type": "RCAN", "checkpoint": str(path)}
    assert same(create_backbone(cfg, scale=2, same_size=False), source)


def test_x4_starts_from_x2(tmp_path):
    source, target = small(scale=2), small(scale=4)
    torch.save(source.state_dict(), tmp_path / "x2.pt")
    with pytest.raises(CheckpointError, match=r"scale=2 and this network scale=4"):
        load_weights(target, tmp_path / "x2.pt")
    tail = target.tail[1].weight.clone()
    load_weights(target, tmp_path / "x2.pt", ignore=("tail.",))
    assert torch.equal(target.head[0].weight, source.head[0].weight)
    assert torch.equal(target.tail[1].weight, tail)


def test_a_text_is_one_prefix_to_ignore(tmp_path):
    network = ESPCN.example()
    torch.save(network.state_dict(), tmp_path / "x.pth")
    first = next(iter(network.state_dict()))
    letters = "".join({name[0] for name in network.state_dict()})
    other = ESPCN.example()
    # Not a list of letters, with one of which every key begins.
    load_weights(other, tmp_path / "x.pth", ignore=f"{letters}.")
    assert torch.equal(other.state_dict()[first], network.state_dict()[first])
    prefixes = tuple(sorted(set(letters)))
    with pytest.raises(CheckpointError, match="nothing of .* would be loaded into ESPCN"):
        load_weights(other, tmp_path / "x.pth", ignore=prefixes)


def test_partial_weights_say_what_differs_and_load_nothing(tmp_path):
    state = small().state_dict()
    state["stranger.weight"] = state.pop("body.2.weight")
    torch.save(state, tmp_path / "w.pt")
    target = small()
    before = target.head[0].weight.clone()
    with pytest.raises(CheckpointError, match=r"body\.2\.weight.*stranger\.weight"):
        load_weights(target, tmp_path / "w.pt")
    assert torch.equal(target.head[0].weight, before)


def test_value_ranges_are_not_mixed(tmp_path):
    torch.save(small(mean_shift=False).state_dict(), tmp_path / "plain.pt")
    torch.save(small(value_range=1.0).state_dict(), tmp_path / "unit.pt")
    torch.save(small().state_dict(), tmp_path / "published.pt")
    with pytest.raises(CheckpointError, match=r"mean_shift=False and this network mean_shift=True"):
        load_weights(small(), tmp_path / "plain.pt")
    with pytest.raises(CheckpointError, match=r"mean_shift=True, .*this network mean_shift=False"):
        load_weights(small(mean_shift=False), tmp_path / "published.pt")
    with pytest.raises(
        CheckpointError, match=r"value_range=1 and this network value_range=255: .*value_range=1\)"
    ):
        load_weights(small(), tmp_path / "unit.pt")
    load_weights(small(value_range=1.0), tmp_path / "unit.pt")


class Unpickled:
    """Leaves a trace where a loader runs code from a file."""

    ran = False

    def __reduce__(self):
        return (setattr, (Unpickled, "ran", True))


@pytest.mark.parametrize("legacy", [False, True])
def test_pickled_networks_give_their_tensors_and_run_nothing(tmp_path, legacy):
    path = tmp_path / "model_epoch_50.pth"
    settings = {"_use_new_zipfile_serialization": not legacy}
    source = VDSR(depth=2, width=2)
    target = VDSR(depth=2, width=2)
    torch.save({"epoch": 50, "model": source}, path, **settings)
    load_weights(target, path)
    assert same(source, target)
    torch.save({"model": Unpickled()}, path, **settings)
    with pytest.raises(CheckpointError, match="no state dict"):
        load_weights(target, path)
    assert not Unpickled.ran


def test_one_network_beside_other_things(tmp_path):
    source, target = VDSR(depth=2, width=2), VDSR(depth=2, width=2)
    torch.save({"generator": source.state_dict(), "epoch": 3}, tmp_path / "w.pth")
    load_weights(target, tmp_path / "w.pth")
    assert same(source, target)


def test_several_networks_in_one_file(tmp_path):
    source = VDSR(depth=2, width=2)
    torch.save({"0": source.state_dict(), "1": source.state_dict()}, tmp_path / "w.pth")
    state = read_weights(tmp_path / "w.pth")
    assert len(state) == 2 * len(source.state_dict())
    assert torch.equal(state["1.input.weight"], source.input.weight)


def test_partial_loading_says_what_was_left(tmp_path):
    source, target = small(scale=2), small(scale=4)
    torch.save(source.state_dict() | {"stranger": torch.zeros(2)}, tmp_path / "x2.pt")
    left = load_weights(target, tmp_path / "x2.pt", partial=True)
    assert torch.equal(target.head[0].weight, source.head[0].weight)
    assert [line for line in left if "stranger" in line] == ["left over stranger (2,)"]
    assert any(line.startswith("missing tail.0.2") for line in left)
    torch.save({"stranger": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="nothing of the weights"):
        load_weights(target, tmp_path / "other.pt", partial=True)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    with pytest.raises(CheckpointError, match="does not exist"):
        load_weights(VDSR(depth=2, width=2), path)
    state = VDSR(depth=4, width=8).state_dict()
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    whole = path.read_bytes()
    for content in (b"", b"not weights at all", whole[: len(whole) // 2], whole[:-7]):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="w"):
            load_weights(VDSR(depth=4, width=8), path)


def test_files_without_a_state_dict(tmp_path):
    path = tmp_path / "w.pth"
    for content in ({"epoch": 3, "lr": 0.1}, torch.zeros(3), [torch.zeros(2)], {}):
        torch.save(content, path)
        with pytest.raises(CheckpointError, match="no state dict"):
            load_weights(VDSR(depth=2, width=2), path)

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.csnln import paste_matches
from realdeg.backbones.parts import attention
from realdeg.backbones.parts.attention import (
    as_image,
    as_tokens,
    attend_by_query,
    attend_everywhere,
    from_blocks,
    to_blocks,
)
from realdeg.backbones.parts.tiles import pad_to_size, plan_axis, run_tiled
from tests.backbones import naive_attention as naive


def tensors(*shapes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]


def same_with_gradients(ours, wanted, inputs):
    found, expected = ours(*inputs), wanted(*inputs)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    weights = torch.linspace(-1, 1, found.numel()).reshape(found.shape)
    mine = torch.autograd.grad((found * weights).sum(), inputs)
    theirs = torch.autograd.grad((expected * weights).sum(), inputs)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * b.abs().max().item())
    with torch.no_grad():
        assert torch.equal(ours(*inputs), found)


@pytest.fixture(params=[1, 40, 1 << 24])
def slices(request, monkeypatch):
    """Slices of one row, of a few, and one slice for all."""
    monkeypatch.setattr(attention, "SLICE", request.param)


@pytest.mark.parametrize("wide", [3, 5])
def test_softmax_over_keys(wide):
    inputs = tensors((2, 11, 3), (2, 7, 3), (2, 7, wide))
    same_with_gradients(attend_everywhere, naive.over_keys, inputs)


@pytest.mark.parametrize(("wide", "inner"), [(8, 8), (16, 8)])
def test_fused_attention_is_taken(wide, inner):
    """Nothing of the size of the scores is made, laid out as a convolution's result is."""
    from torch.profiler import ProfilerActivity, profile

    query, key, value = (torch.rand(1, c, 32, 32) for c in (inner, inner, wide))
    with torch.no_grad(), profile(activities=[ProfilerActivity.CPU]) as seen:
        attend_everywhere(as_tokens(query), as_tokens(key), as_tokens(value))
    names = {event.name for event in seen.events()}
    assert any("flash_attention" in name for name in names) and "aten::bmm" not in names


def test_softmax_over_queries(slices):
    inputs = tensors((2, 11, 3), (2, 7, 3), (2, 7, 4))
    same_with_gradients(attend_by_query, naive.over_queries, inputs)


@pytest.mark.parametrize(("factor", "size"), [(2, (6, 8)), (3, (9, 6)), (2, (2, 2)), (3, (3, 3))])
def test_pasted_matches(slices, factor, size):
    small = [side // factor for side in size]
    inputs = tensors((2, 2, *size), (2, 2, *small), (2, 3, *size))
    floor = torch.tensor([1e-4])
    same_with_gradients(
        lambda q, k, v: paste_matches(q, k, v, factor, floor),
        lambda q, k, v: naive.paste_matches(q, k, v, factor, floor),
        inputs,
    )


def test_layouts():
    image = torch.rand(2, 3, 4, 6)
    assert torch.equal(as_image(as_tokens(image), 4, 6), image)
    blocks = to_blocks(image, 2)
    assert torch.equal(blocks.permute(0, 3, 1, 2), F.pixel_unshuffle(image, 2))
    assert torch.equal(from_blocks(blocks, 2), image)
    assert from_blocks(to_blocks(image[:0], 2), 2).shape == (0, 3, 4, 6)


@pytest.mark.parametrize("size", [(8, 8), (9, 8), (13, 22), (31, 16)])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_tiles_weigh_one_in_all(size, scale):
    """A network that copies its tile must give the whole picture back."""
    image = torch.rand(2, 3, *size)
    given = []

    def enlarge(tiles):
        given.append(tiles.shape[0])
        return F.interpolate(tiles, scale_factor=scale)

    found = run_tiled(enlarge, image, 8, scale)
    torch.testing.assert_close(found, F.interpolate(image, scale_factor=scale))
    assert max(given) <= 16


def test_which_tile_gives_which_pixel():
    """A side of 17 pixels: tiles of 8 every 2 pixels, and one that ends with the picture."""
    axis = plan_axis(17, 8, 2)
    assert axis.starts == [0, 2, 4, 6, 8, 9]
    assert axis.boundary == 2 * 16 - 7
    total = torch.zeros(len(axis.starts), 34)
    for row, start, weights in zip(total, axis.starts, axis.weights, strict=True):
        row[2 * start : 2 * start + 16] = weights
    assert torch.equal(total.sum(0), torch.ones(34))
    assert total[0, :8].tolist() == [1, 1, 1, 1, 1, 1, 1, 1]
    assert (total[0, 8:12] == 0.5).all() and (total[1, 8:12] == 0.5).all()
    assert (total[-1, 25:] == 1).all() and (total[-1, :25] == 0).all()


def test_padding_to_a_size():
    image = torch.rand(1, 1, 5, 9)
    assert torch.equal(pad_to_size(image, 8), F.pad(image, (0, 0, 0, 3), mode="reflect"))
    assert pad_to_size(image, 12).shape == (1, 1, 12, 12)
    assert pad_to_size(image, 5) is image

from __future__ import annotations

import pytest
import torch

from realdeg.degradations.primitives.pass_filters import high_pass
from realdeg.degradations.primitives.wavelets import (
    MWCNN_V1,
    MWCNN_V2,
    PACKET,
    PYWT,
    haar,
    haar_packet,
    inverse_haar,
    inverse_haar_packet,
    pad_even,
)

FORMS = {"pywt": PYWT, "packet": PACKET, "mwcnn_v1": MWCNN_V1, "mwcnn_v2": MWCNN_V2}


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn(2, 3, 8, 16, generator=torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize("name", FORMS)
class TestForms:
    def test_inverse_is_exact(self, name, image):
        form = FORMS[name]
        bands = haar(image, form)
        assert bands.shape == (2, 12, 4, 8)
        torch.testing.assert_close(inverse_haar(bands, form), image, rtol=0, atol=1e-14)
        torch.testing.assert_close(haar(inverse_haar(bands, form), form), bands, rtol=0, atol=1e-14)

    def test_orthonormal(self, name):
        """Its matrix times its transpose is the identity, and the inverse is the transpose."""
        form = FORMS[name]
        basis = torch.eye(16, dtype=torch.float64).reshape(16, 1, 4, 4)
        matrix = haar(basis, form).flatten(1)
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(16, dtype=torch.float64))
        back = inverse_haar(torch.eye(16, dtype=torch.float64).reshape(16, 4, 2, 2), form)
        torch.testing.assert_close(back.flatten(1), matrix.T)

    def test_gradients(self, name, image):
        form = FORMS[name]
        small = image[:1, :1, :4, :4].requires_grad_()
        assert torch.autograd.gradcheck(lambda x: haar(x, form), small)
        assert torch.autograd.gradcheck(lambda x: inverse_haar(haar(x, form), form) ** 2, small)


def test_bands_of_a_block():
    """With p q over r s, the bands are as documented, in the order and sign of each form."""
    p, q, r, s = 1.0, 2.0, 4.0, 9.0
    block = torch.tensor([[p, q], [r, s]])[None, None]
    coarse, diagonal = (p + q + r + s) / 2, (p - q - r + s) / 2
    across, down = (p - q + r - s) / 2, (p + q - r - s) / 2
    for form, middle in (
        (PYWT, [down, across]),
        (PACKET, [across, down]),
        (MWCNN_V1, [-down, -across]),
        (MWCNN_V2, [-across, -down]),
    ):
        assert haar(block, form).flatten().tolist() == [coarse, *middle, diagonal]


@pytest.mark.parametrize("levels", [0, 1, 2, 3])
def test_packets(image, levels):
    bands = haar_packet(image, levels)
    assert bands.shape == (2, 3 * 4**levels, 8 // 2**levels, 16 // 2**levels)
    torch.testing.assert_close(bands.square().sum(), image.square().sum())
    torch.testing.assert_close(inverse_haar_packet(bands, levels), image, rtol=0, atol=1e-13)


def test_packet_bands_are_products_of_the_levels_bands(image):
    """Band 4 * fine + coarse: what a grouped convolution with the table's kernels gives."""
    signs = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    kernels = signs.reshape(4, 2, 2).double() / 2
    table = torch.stack([torch.kron(coarse, fine) for fine in kernels for coarse in kernels])
    one = image[:, 1:2]
    wanted = torch.nn.functional.conv2d(one, table[:, None], stride=4)
    torch.testing.assert_close(haar_packet(image, 2)[:, 1::3], wanted)


def test_agrees_with_pywavelets(image):
    pywt = pytest.importorskip("pywt", reason="the optional package PyWavelets is absent")
    for x in (image, image[..., :7, :5]):  # odd sides too
        coarse, details = pywt.dwt2(x.numpy(), "haar")
        wanted = torch.from_numpy(coarse), *map(torch.from_numpy, details)
        torch.testing.assert_close(haar(pad_even(x)), torch.cat(wanted, 1), rtol=0, atol=1e-14)


def test_agrees_with_pywavelets_by_hand():
    """pywt.dwt2([[1, 2, 3], [4, 5, 9], [7, 0, 2]], "haar"), computed with PyWavelets 1.9.0."""
    x = torch.tensor([[1.0, 2, 3], [4, 5, 9], [7, 0, 2]])[None, None]
    wanted = [[6.0, 12, 7, 4], [-3, -6, 0, 0], [-1, 0, 7, 0], [0, 0, 0, 0]]
    torch.testing.assert_close(haar(pad_even(x)).flatten(2)[0], torch.tensor(wanted))


def test_agrees_with_the_high_pass_filter(image):
    x = image.float()
    torch.testing.assert_close(high_pass(x, kind="wavelet"), 0.5 + 0.5 * haar(x)[:, 3:])


def test_odd_sides_repeat_their_last_pixels(image):
    assert pad_even(image) is image
    padded = pad_even(image[..., :7, :5])
    assert padded.shape[2:] == (8, 6)
    assert torch.equal(padded[..., 7, :], padded[..., 6, :])
    assert torch.equal(padded[..., 5], padded[..., 4])
    assert pad_even(image[..., :1, :1]).shape[2:] == (2, 2)


def test_bad_shapes_are_named(image):
    with pytest.raises(ValueError, match="even H and W"):
        haar(image[..., :7])
    with pytest.raises(ValueError, match="4 C"):
        inverse_haar(image)
    with pytest.raises(ValueError, match="16 bands"):
        inverse_haar_packet(image, 2)


def test_empty_batches(image):
    assert inverse_haar_packet(haar_packet(image[:0], 2), 2).shape == (0, 3, 8, 16)

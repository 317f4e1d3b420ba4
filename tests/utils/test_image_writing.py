"""Files that are written: what each format holds, row by row, with their profile."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from realdeg.errors import DataError
from realdeg.utils.image import (
    IMAGE_SUFFIXES,
    check_writable,
    open_image_writer,
    read_image,
    to_array,
    to_tensor,
    write_image,
)

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(shape, dtype=np.uint8, seed=0):
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top, shape, dtype, endpoint=True)


def straight_to_array(tensor, dtype):
    """The definition, in float64 and in one go."""
    greatest = np.iinfo(dtype).max
    values = tensor.to(torch.float64).clamp(0, 1).mul(greatest).add(0.5).floor()
    return values.numpy().astype(dtype).transpose(1, 2, 0)


class TestToArray:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_every_level_and_what_lies_next_to_a_half(self, dtype):
        greatest = np.iinfo(dtype).max
        levels = np.arange(greatest + 1)
        exact = torch.from_numpy((levels / greatest).astype(np.float32))
        assert np.array_equal(to_array(exact.view(1, 1, -1), dtype)[0, :, 0], levels)
        halves = torch.from_numpy(((levels + 0.5) / greatest).astype(np.float32))
        beside = [halves]
        for direction in (-torch.inf, torch.inf):
            moved = halves
            for _ in range(3):
                moved = torch.nextafter(moved, torch.tensor(direction))
                beside.append(moved)
        values = torch.stack(beside)[None]
        assert np.array_equal(to_array(values, dtype), straight_to_array(values, dtype))

    def test_strips_change_nothing(self):
        values = torch.randn(3, 700, 301) * 0.7 + 0.5
        for dtype in (np.uint8, np.uint16):
            assert np.array_equal(to_array(values, dtype), straight_to_array(values, dtype))
        assert to_array(values[:, :, ::2].double()).flags.c_contiguous

    def test_the_tensor_is_left_alone(self):
        values = torch.full((1, 2, 2), 2.0, dtype=torch.float64)
        to_array(values)
        assert values.eq(2).all()

    def test_sixteen_bit_there_and_back(self):
        levels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
        assert np.array_equal(to_array(to_tensor(levels), np.uint16), levels)
        straight = levels.transpose(2, 0, 1).astype(np.float32) / 65535
        assert np.array_equal(to_tensor(levels).numpy(), straight)

    def test_memory_is_that_of_the_result(self):
        values = torch.rand(3, 1000, 1000)
        tracemalloc.start()
        to_array(values)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3.5e6  # NumPy's part: the result of 3 MB; torch's strips are not traced


LOSSLESS = [".png", ".tif", ".bmp", ".webp"]


class TestFormats:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_depth_and_channels_survive(self, tmp_path, suffix, channels, dtype):
        array = noise((37, 29, channels), dtype)
        write_image(tmp_path / f"a{suffix}", array)
        again = read_image(tmp_path / f"a{suffix}")
        assert again.dtype == dtype and np.array_equal(again, array)

    @pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_written_or_refused_never_something_else(self, tmp_path, suffix, channels, dtype):
        """The kind of fault: an encoder that takes a picture and stores another one."""
        array = noise((16, 24, channels), dtype) // 2 + np.iinfo(dtype).max // 4
        path = tmp_path / f"a{suffix}"
        try:
            check_writable(path, dtype, channels, array.shape[:2])
        except DataError as error:
            assert "use .png" in str(error) or ".png or .tif" in str(error)
            with pytest.raises(DataError, match="does not hold"):
                write_image(path, array)
            assert not path.exists()
            return
        write_image(path, array)
        again = read_image(path)
        assert again.dtype == dtype
        wanted = array
        if again.shape[2] != channels:  # formats without grey
            colour = np.repeat(array[..., :1], 3, axis=2)
            wanted = np.concatenate([colour, array[..., 1:]], axis=2)
        if suffix in (".jpg", ".jpeg"):
            assert np.abs(again.astype(int) - wanted).mean() < 40
        else:
            assert np.array_equal(again, wanted)

    @pytest.mark.parametrize(
        ("name", "dtype", "channels", "size", "words"),
        [
            ("a.bmp", np.uint16, 3, None, "BMP does not hold 16 bit; use .png or .tif"),
            ("a.webp", np.uint16, 1, None, "WebP does not hold 16 bit"),
            ("a.jpg", np.uint16, 4, None, "JPEG does not hold 16 bit or alpha"),
            ("a.jpg", np.uint8, 2, None, "alpha; use .png, .bmp, .tif or .webp"),
            ("a.webp", np.uint8, 3, (10, 16384), "up to 16383 pixels.*10 x 16384"),
            ("a.jpg", np.uint8, 3, (65501, 4), "up to 65500.*use .png or .tif"),
            ("a.bmp", np.uint8, 3, (40000, 4), "up to 32767"),
            ("a.gif", np.uint8, 3, None, "'.gif' is not supported; end the name in .png"),
            ("a.xyz", np.uint8, 3, None, "'.xyz' is not supported"),
            ("a.png", np.float32, 3, None, "float32"),
            ("a.png", np.uint8, 5, None, "5 channels"),
            ("a.png", np.uint8, 3, (0, 5), "0 x 5"),
        ],
    )
    def test_refused_before_the_work(self, name, dtype, channels, size, words):
        with pytest.raises(DataError, match=words):
            check_writable(name, dtype, channels, size)


class TestWriter:
    @pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
    def test_strips_give_the_same_bytes(self, tmp_path, suffix):
        array = noise((50, 31, 3))
        write_image(tmp_path / f"whole{suffix}", array)
        with open_image_writer(tmp_path / f"strips{suffix}", 50, 31, 3) as writer:
            for top in (0, 1, 17, 40):
                writer.write(array[top : {0: 1, 1: 17, 17: 40, 40: 50}[top]])
        whole, strips = (tmp_path / f"{name}{suffix}" for name in ("whole", "strips"))
        assert whole.read_bytes() == strips.read_bytes()

    def test_other_readers_agree(self, tmp_path):
        for channels in (1, 2, 3, 4):
            array = noise((40, 21, channels))
            write_image(tmp_path / "a.png", array)
            seen = np.asarray(Image.open(tmp_path / "a.png"))
            assert np.array_equal(seen.reshape(array.shape), array)

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            (np.zeros((3, 7, 3), np.uint8), "2 of its|3 of its 5 rows"),
            (np.zeros((6, 7, 3), np.uint8), "more than its 5 rows"),
            (np.zeros((5, 8, 3), np.uint8), "do not belong"),
            (np.zeros((5, 7, 3), np.uint16), "do not belong"),
        ],
    )
    def test_a_wrong_number_of_rows_leaves_no_file(self, tmp_path, rows, words):
        with (
            pytest.raises(DataError, match=words),
            open_image_writer(tmp_path / "a.png", 5, 7, 3) as writer,
        ):
            writer.write(rows)
        assert not list(tmp_path.iterdir())

    def test_a_large_png_is_never_whole_in_memory(self, tmp_path):
        strip = noise((64, 4000, 3))
        tracemalloc.start()
        with open_image_writer(tmp_path / "a.png", 64 * 16, 4000, 3) as writer:
            for _ in range(16):
                writer.write(strip)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 6e6  # the picture has 12 MB
        assert np.array_equal(read_image(tmp_path / "a.png")[-64:], strip)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_profile_is_written(tmp_path, suffix, channels):
    if suffix == ".jpg" and channels == 4:
        pytest.skip("JPEG has no alpha")
    path, plain = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    long = PROFILE + bytes(range(256)) * 600  # of several JPEG segments
    for profile in (PROFILE, long):
        array = noise((20, 30, channels))
        write_image(path, array, icc=profile)
        write_image(plain, array)
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            image.load()
            assert image.info["icc_profile"] == profile
        assert np.array_equal(read_image(path), read_image(plain))

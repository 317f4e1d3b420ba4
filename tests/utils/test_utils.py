"""Streams, colour, files, pictures, self-describing weights."""

from __future__ import annotations

import os
import pickle
import struct

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from realdeg.errors import CheckpointError, DataError, OutputError, nearest
from realdeg.utils.colour import rgb_to_y, rgb_to_ycbcr, to_colour, ycbcr_to_rgb
from realdeg.utils.component import load_state, read_component, save_component
from realdeg.utils.files import atomic_path, ensure_writable_dir, sha256_file
from realdeg.utils.image import (
    as_rgb,
    image_size,
    read_image,
    to_array,
    to_tensor,
    write_image,
)
from realdeg.utils.streams import Stream, stream_seed


class TestStreams:
    def test_seeds_are_fixed_for_ever(self):
        """Golden values: a change would alter every run and every manifest."""
        assert stream_seed(0) == 4246866556266386882
        assert stream_seed("a", 1) == 8742480445216141462
        assert Stream(1, 2).seed_for("crop") == 5396592913331718855

    @given(st.lists(st.integers() | st.text(max_size=4), min_size=1, max_size=4))
    def test_range(self, parts):
        assert 0 <= stream_seed(*parts) < 2**63

    def test_names_and_types_matter(self):
        seeds = {
            stream_seed(1, 2),
            stream_seed("1", 2),
            stream_seed(12),
            stream_seed(1, 2, ""),
            stream_seed(2, 1),
            stream_seed("1\x1f2"),
        }
        assert len(seeds) == 6

    def test_streams_look_independent(self):
        draws = np.array([Stream(0, i).rng("crop").random() for i in range(2000)])
        assert abs(draws.mean() - 0.5) < 0.03
        assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.1


class TestColour:
    def test_published_values(self):
        """MATLAB: white 235, black 16, red 81.48, green 144.55, blue 40.97."""
        colours = torch.tensor([[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
        luma = rgb_to_y(colours[:, :, None, None]).flatten() * 255
        expected = torch.tensor([235, 16, 81.481, 144.553, 40.966])
        torch.testing.assert_close(luma, expected, atol=1e-3, rtol=0)

    def test_round_trip_and_agreement(self):
        rgb = torch.rand(2, 3, 5, 6)
        ycbcr = rgb_to_ycbcr(rgb)
        torch.testing.assert_close(ycbcr_to_rgb(ycbcr), rgb, atol=1e-5, rtol=0)
        torch.testing.assert_close(ycbcr[:, :1], rgb_to_y(rgb))
        grey = torch.full((3, 1, 1), 0.3)
        torch.testing.assert_close(rgb_to_ycbcr(grey)[1:].flatten(), torch.full((2,), 128 / 255))

    def test_refusals(self):
        y = torch.rand(1, 1, 2, 2)
        assert to_colour(y, "y") is y
        with pytest.raises(ValueError, match="RGB is needed"):
            to_colour(y, "rgb")
        with pytest.raises(ValueError, match="colour is"):
            to_colour(y.expand(1, 3, 2, 2), "lab")
        for function in (rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb):
            with pytest.raises(ValueError, match="3 channels"):
                function(y)


class TestFiles:
    def test_a_failure_keeps_the_old_file(self, tmp_path):
        path = tmp_path / "a.txt"
        path.write_text("old")
        with pytest.raises(RuntimeError), atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError
        assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]

    def test_a_full_disk_keeps_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "a.txt"
        path.write_text("old")

        def full(_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"), atomic_path(path) as temporary:
            temporary.write_text("new")
        assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]

    def test_success_replaces(self, tmp_path):
        path = tmp_path / "deep" / "a.txt"
        with atomic_path(path) as temporary:
            assert temporary.suffix == ".txt" and temporary.parent == path.parent
            temporary.write_text("new")
        assert path.read_text() == "new" and os.listdir(path.parent) == ["a.txt"]
        assert sha256_file(path)[:8] == "11507a0e"

    def test_a_file_is_no_folder(self, tmp_path):
        (tmp_path / "file").write_text("x")
        with pytest.raises(OutputError, match="cannot write in the folder"):
            ensure_writable_dir(tmp_path / "file" / "below")


class TestImages:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_depth_and_channels_survive(self, tmp_path, dtype, channels):
        rng = np.random.default_rng(0)
        array = rng.integers(0, np.iinfo(dtype).max, (9, 7, channels), endpoint=True).astype(dtype)
        write_image(tmp_path / "ü 1.png", array)
        again = read_image(tmp_path / "ü 1.png")
        assert again.dtype == dtype
        np.testing.assert_array_equal(again, array)
        assert image_size(tmp_path / "ü 1.png") == (9, 7)
        np.testing.assert_array_equal(to_array(to_tensor(array), dtype), array)
        assert as_rgb(array).shape == (9, 7, 3)

    def test_order_is_rgb(self, tmp_path):
        cv2.imwrite(str(tmp_path / "red.png"), np.full((2, 2, 3), (0, 0, 255), np.uint8))
        assert read_image(tmp_path / "red.png")[0, 0].tolist() == [255, 0, 0]

    def test_sizes_without_decoding_agree(self, tmp_path):
        write_image(tmp_path / "a.jpg", np.zeros((5, 8, 3), np.uint8))
        assert image_size(tmp_path / "a.jpg") == (5, 8)

    def test_rounding_is_half_up_and_clipped(self):
        values = torch.tensor([-1, 0.5 / 255, 1.5 / 255, 2.4 / 255, 2.0]).view(1, 1, 5).double()
        assert to_array(values).flatten().tolist() == [0, 1, 2, 2, 255]
        floats = np.random.rand(2, 3, 3)
        torch.testing.assert_close(to_tensor(floats), torch.tensor(floats).permute(2, 0, 1).float())

    @pytest.mark.parametrize("suffix", [".png", ".jpg"])
    def test_broken_files_are_named(self, tmp_path, suffix):
        path = tmp_path / f"a{suffix}"
        noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
        write_image(path, noise)
        whole = path.read_bytes()
        for content, words in (
            (b"", "empty"),
            (whole[: len(whole) // 2], "truncated"),
            (b"no image at all", "cannot be decoded"),
        ):
            path.write_bytes(content)
            with pytest.raises(DataError, match=words) as caught:
                read_image(path)
            assert str(path) in str(caught.value)
        with pytest.raises(DataError, match="none"):
            read_image(tmp_path / "none.png")
        with pytest.raises(DataError, match="none"):
            image_size(tmp_path / "none.png")

    @pytest.mark.parametrize(
        ("array", "name", "words"),
        [
            (np.zeros((2, 2, 5), np.uint8), "a.png", "not an image"),
            (np.zeros((2, 0, 3), np.uint8), "a.png", "not an image"),
            (np.zeros((2, 2, 3)), "a.png", "float64"),
            (np.zeros((2, 2, 4), np.uint8), "a.jpg", "alpha"),
            (np.zeros((2, 2, 3), np.uint8), "a.xyz", "a.xyz"),
        ],
    )
    def test_what_cannot_be_written_is_named(self, tmp_path, array, name, words):
        with pytest.raises(DataError, match=words):
            write_image(tmp_path / name, array)


class TestComponents:
    def _saved(self, tmp_path):
        path = tmp_path / "c.safetensors"
        module = torch.nn.Conv2d(2, 3, 1)
        digest = save_component(
            path, module, kind="backbone", type="Conv", arguments={"a": (1, 2)}, meta={"n": 1}
        )
        return path, module, digest

    def test_round_trip(self, tmp_path):
        path, module, digest = self._saved(tmp_path)
        file = read_component(path)
        assert (file.kind, file.type, file.arguments) == ("backbone", "Conv", {"a": [1, 2]})
        assert file.meta == {"n": 1} and file.hash == digest
        other = torch.nn.Conv2d(2, 3, 1)
        load_state(other, file.state, "there")
        assert torch.equal(other.weight, module.weight)

    def test_damage_is_refused(self, tmp_path):
        path, _, _ = self._saved(tmp_path)
        whole = path.read_bytes()
        (length,) = struct.unpack("<Q", whole[:8])
        for content, words in (
            (whole[:20], "cannot be read"),
            (whole[:-4], "cannot be read"),
            (whole[: 8 + length] + b"\1" * (len(whole) - 8 - length), "altered"),
            (b"", "cannot be read"),
        ):
            path.write_bytes(content)
            with pytest.raises(CheckpointError, match=words):
                read_component(path)
        save_file({"w": torch.ones(1)}, str(path))
        with pytest.raises(CheckpointError, match="not written by realdeg"):
            read_component(path)

    def test_nothing_is_unpickled(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "ran"),)

        path = tmp_path / "evil.pth"
        path.write_bytes(pickle.dumps(Evil()))
        with pytest.raises(CheckpointError, match="does not describe itself"):
            read_component(path)
        assert not (tmp_path / "ran").exists()

    def test_another_architecture_is_named_and_left_alone(self):
        module = torch.nn.Conv2d(2, 3, 1)
        before = module.weight.clone()
        state = {"weight": torch.zeros(3, 2, 3, 3), "scale": torch.ones(1)}
        with pytest.raises(CheckpointError) as caught:
            load_state(module, state, "x.pth")
        text = str(caught.value)
        assert "missing bias (3,)" in text and "left over scale (1,)" in text
        assert "weight is (3, 2, 3, 3), wanted (3, 2, 1, 1)" in text and "x.pth" in text
        assert torch.equal(module.weight, before)


def test_nearest_names():
    assert nearest("VDSRR", ["VDSR", "RCAN"]) == " Did you mean 'VDSR'?"
    assert nearest("zzz", ["VDSR"]) == ""

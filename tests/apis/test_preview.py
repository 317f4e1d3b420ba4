import json

import numpy as np
import pytest

from realdeg.apis import Degrader
from realdeg.apis.gallery import strip
from realdeg.apis.previewing import (
    as_8_bit,
    choose_crop,
    cut,
    find_image,
    open_image,
    replay_previews,
    sample_previews,
)
from realdeg.apis.trace_files import TraceRecord, read_traces, trace_lines, write_traces
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError
from realdeg.utils.image import write_image


def picture(height=40, width=60, seed=0, channels=3, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max + 1, (height, width, channels), dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_saved_traces_give_the_same_pixels(tmp_path, dtype, channels):
    image = picture(channels=channels, dtype=dtype)
    degrader = Degrader("AWGN", scale=4)
    crop = (3, 5, 30, 33)  # neither side divides by 4
    samples = sample_previews(degrader, image, "a.png", count=3, seed=2, crop=crop)
    assert samples[0].lr.shape == (7, 8, channels) and samples[0].lr.dtype == dtype
    assert not np.array_equal(samples[0].lr, samples[1].lr)
    file = write_traces(tmp_path / "traces.jsonl", [sample.record for sample in samples])
    records = read_traces(file)
    assert records == [sample.record for sample in samples]
    for old, new in zip(samples, replay_previews(degrader, image, records), strict=True):
        np.testing.assert_array_equal(old.lr, new.lr)


def test_other_files_of_traces(tmp_path):
    image = picture()
    degrader = Degrader("AWGN", scale=2)
    _, trace = degrader.degrade(image, 3)
    bare = tmp_path / "one.json"
    bare.write_text(trace.to_json())
    assert read_traces(bare) == [TraceRecord(trace)]
    write_image(tmp_path / "hr" / "a.png", image)
    degrader.degrade_folder(tmp_path / "hr", tmp_path / "lr", seed=1, progress=False)
    (record,) = read_traces(tmp_path / "lr" / "manifest.jsonl")
    assert record.image == "a.png" and record.crop is None
    (sample,) = replay_previews(degrader, image, [record])
    np.testing.assert_array_equal(sample.lr, open_image(tmp_path / "lr" / "a.png")[1])


def test_hostile_files_are_refused(tmp_path):
    good = Degrader("AWGN", scale=2).degrade(picture(), 0)[1].to_dict()
    file = tmp_path / "t.jsonl"
    for content, words in (
        ("", "contains no traces"),
        ("not json", "line 1 of .* is not JSON"),
        (json.dumps({"trace": {**good, "version": 99}}), "version 99"),
        (json.dumps({"trace": good, "crop": [0, 0, "x", 3]}), "crop must be"),
        (json.dumps({"trace": good, "crop": [0, 0, True, 3]}), "crop must be"),
        (json.dumps([1, 2]), "JSON object"),
        ("[" * 10_000, "JSON"),
    ):
        file.write_text(content)
        with pytest.raises(DataError, match=words):
            read_traces(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not text"):
        read_traces(file)
    with pytest.raises(DataError, match="cannot read"):
        read_traces(tmp_path / "none")
    record = TraceRecord(Trace.from_dict(good), crop=(0, 30, 40, 60))
    with pytest.raises(DataError, match="another image"):
        replay_previews(Degrader("AWGN", scale=2), picture(), [record])
    with pytest.raises(DataError, match="cannot be replayed"):
        replay_previews(Degrader("Bicubic", scale=2), picture(), [TraceRecord(record.trace)])


def test_part_of_a_large_image():
    image = np.zeros((100, 150, 3), np.uint8)
    image[60:90, 100:140] = picture(30, 40)
    top, left, height, width = choose_crop(image, 50, 4)
    assert (height, width) == (48, 48)
    assert top <= 60 and top + height >= 90 and left <= 100 and left + width >= 140
    assert cut(image, (top, left, height, width)).shape == (48, 48, 3)
    assert choose_crop(image, 0, 4) is None and choose_crop(image, 150, 4) is None
    assert choose_crop(image, 120, 4)[2:] == (100, 120)


def test_built_in_pictures():
    name, image = open_image("sample/coffee")
    assert name == "coffee.png" and image.shape[2] == 3
    with pytest.raises(DataError, match="Did you mean 'sample/coffee'"):
        find_image("sample/cofee")
    with pytest.raises(DataError, match="no image nowhere.png"):
        find_image("nowhere.png")
    with pytest.raises(ConfigError, match="count must be at least 1"):
        sample_previews(Degrader("Bicubic", scale=2), image, name, count=0)


def test_traces_in_words():
    step = {"op": "blur", "kernel": {"shape": "gaussian", "sigma_x": 2.12345, "size": 21}}
    noise = {"op": "noise", "noise_seed": 12345, "clip": True, "levels": list(range(9))}
    inner = Trace("Inner", {"steps": [step, noise], "scale": 4, "same_size": False})
    params = {"array": np.zeros((3, 3)), "angle": 0.5, "none": None, "pair": [1.0, 2]}
    lines = trace_lines(Trace("Outer", params, parts=(inner,)))
    assert lines == [
        "Outer: array 3x3 array, angle 0.5, pair [1, 2]",
        "  Inner",
        "    blur: kernel (shape gaussian, sigma_x 2.12, size 21)",
        "    noise: clip yes, levels 9 values",
    ]


def test_strip_enlarges_and_shows_equal_images_once():
    hr, lr = picture(16, 24), picture(4, 6, seed=1)
    made = strip(hr, [lr, lr, picture(4, 6, seed=2)])
    assert made.shape == (16, 3 * 24 + 2 * 6, 3)
    np.testing.assert_array_equal(made[:, 30:54], lr.repeat(4, 0).repeat(4, 1))
    assert (made[:, 24:30] == 255).all()
    wide = picture(4, 6, channels=1, dtype=np.uint16)
    assert as_8_bit(wide).shape == (4, 6, 3)
    assert as_8_bit(np.full((2, 2), 65535, np.uint16)).max() == 255

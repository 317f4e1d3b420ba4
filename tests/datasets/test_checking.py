import numpy as np
import pytest

from realdeg.datasets import HRFolderDataset, PairedFolderDataset
from realdeg.errors import DataError, GeometryError
from realdeg.utils.image import write_image


@pytest.fixture
def pairs(tmp_path, picture):
    def make(hr=(32, 48), lr=(8, 12), count=3, **arguments):
        for index in range(count):
            picture(tmp_path / "HR" / f"{index:02d}.png", *hr, seed=index)
            picture(tmp_path / "LR" / f"{index:02d}.png", *lr, seed=index)
        return lambda **more: PairedFolderDataset(
            "HR", "LR", data_root=tmp_path, **{**arguments, **more}
        )

    return make


def test_sound_pairs_pass(pairs):
    pairs()().check()
    pairs()().check(thorough=True)


def test_truncated_and_empty_and_foreign_and_small(tmp_path, pairs):
    data = pairs(count=5, transforms=[dict(type="PairedCrop", patch_size=32)])
    whole = (tmp_path / "LR" / "00.png").read_bytes()
    (tmp_path / "LR" / "00.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "HR" / "01.png").write_bytes(b"")
    (tmp_path / "LR" / "02.png").write_text("<html>quota exceeded</html>")
    write_image(tmp_path / "HR" / "03.png", np.zeros((28, 48, 3), np.uint8))
    write_image(tmp_path / "LR" / "03.png", np.zeros((7, 12, 3), np.uint8))
    with pytest.raises(DataError) as caught:
        data().check()
    text = str(caught.value)
    assert "4 faults" in text
    assert f"{tmp_path}/LR/00.png: is truncated" in text
    assert f"{tmp_path}/HR/01.png: is empty (0 bytes)" in text
    assert f"{tmp_path}/LR/02.png: cannot be decoded" in text
    assert f"{tmp_path}/HR/03.png: is 28 x 48 pixels, smaller than the 32" in text
    assert "04.png" not in text


def test_damage_in_the_middle_is_found_by_a_thorough_check(tmp_path, pairs):
    file = tmp_path / "HR" / "01.png"
    data = pairs(hr=(64, 64), lr=(16, 16))()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x55
    file.write_bytes(content)
    data.check()
    with pytest.raises(DataError, match=r"1 fault;(.|\n)*01.png: cannot be decoded"):
        data.check(thorough=True)
    with pytest.raises(DataError, match=r"01.png"):
        data[1]


def test_truncated_jpeg_is_found(tmp_path, picture):
    picture(tmp_path / "a.jpg", 64, 64)
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"a.jpg: is truncated"):
        HRFolderDataset(tmp_path).check()


def test_only_ten_are_named(tmp_path, pairs):
    data = pairs(count=13)()
    for index in range(13):
        (tmp_path / "HR" / f"{index:02d}.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        data.check()
    text = str(caught.value)
    assert "13 faults" in text
    assert "and 3 more" in text
    assert "09.png" in text and "10.png" not in text


def test_a_file_that_went_away(tmp_path, pairs):
    data = pairs()()
    (tmp_path / "LR" / "02.png").unlink()
    with pytest.raises(DataError, match=r"02.png: cannot read"):
        data.check()


def test_equal_sizes_name_the_setting(pairs):
    data = pairs(lr=(32, 48))
    data(same_size=True).check()
    with pytest.raises(GeometryError, match="of equal size: use same_size=True .*realsr_x4"):
        data(same_size=False).check()


def test_smaller_lr_names_the_setting(pairs):
    data = pairs()
    with pytest.raises(GeometryError, match="use same_size=False, scale=4 .*realsrv3_x4"):
        data(same_size=True).check()
    with pytest.raises(GeometryError, match="HR is 4 times .*same_size=False, scale=4"):
        data(same_size=False, scale=2).check()


def test_one_pair_of_another_size_is_named(tmp_path, pairs):
    data = pairs()()
    write_image(tmp_path / "LR" / "01.png", np.zeros((32, 48, 3), np.uint8))
    with pytest.raises(
        DataError, match=r"1 fault;(.|\n)*01.png: LR is 32 x 48 where HR is 32 x 48"
    ):
        data.check()


def test_a_remainder_passes_only_where_it_is_cut(pairs):
    data = pairs(hr=(34, 49))
    with pytest.raises(DataError, match="LR is 8 x 12 where HR is 34 x 49"):
        data().check()
    data(transforms=[dict(type="ModCrop"), dict(type="PackSample")]).check()


def test_size_that_the_transforms_need(pairs):
    data = pairs()
    steps = [
        dict(type="DownsampleHR"),
        dict(type="PairedCrop", patch_size=16),
        dict(type="CentreCrop", patch_size=8),
    ]
    assert data(transforms=steps).required_size == 32
    assert data().required_size == 1

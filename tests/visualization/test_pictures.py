import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from realdeg import visualization
from realdeg.errors import OutputError
from realdeg.utils.image import read_image
from realdeg.utils.tap_colours import tap_colours
from realdeg.visualization import (
    SheetRow,
    basis_kernels,
    comparison_sheet,
    kernel_grid,
    kernel_points,
    kernel_width,
    table_picture,
    training_curves,
    weight_maps,
)
from realdeg.visualization.sheets import busiest_crop, enlarge_crop, telling_crop
from realdeg.visualization.style import pixels


def gaussian(sigma, size=15):
    axis = np.arange(size) - size // 2
    kernel = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * sigma**2))
    return torch.from_numpy(kernel / kernel.sum()).float()


def drawn(path):
    """The picture, after checking that nothing touches its rim: no label is clipped."""
    picture = read_image(path)[..., :3]
    rim = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
    assert all((side == 255).all() for side in rim), "something is cut off"
    assert (picture < 100).any()
    assert [item.name for item in path.parent.iterdir()] == [path.name]
    return picture


def test_width_of_a_gaussian_is_its_sigma():
    for sigma in (0.9, 1.5, 2.2):
        assert kernel_width(gaussian(sigma).numpy()) == pytest.approx(sigma, rel=0.02)
    noise = 0.0005 * np.random.default_rng(0).standard_normal((15, 15))
    assert kernel_width(gaussian(1.5).numpy() + noise) == pytest.approx(1.5, rel=0.03)
    assert kernel_width(np.eye(1)) == 0 and kernel_width(np.zeros((3, 3))) == 0


@pytest.mark.parametrize("count", [1, 4, 7, 8, 17])
def test_basis_kernels(tmp_path, count):
    bases = torch.stack([gaussian(0.5 + 0.1 * index) for index in range(count)])
    path = basis_kernels(bases[:, None], tmp_path / "basis.png", title="DML, a long heading here")
    assert path == tmp_path / "basis.png"
    drawn(path)


def test_constant_and_negative_kernels_are_drawn(tmp_path):
    drawn(basis_kernels(torch.stack([torch.zeros(5, 5), -torch.eye(5)]), tmp_path / "basis.png"))


@pytest.mark.parametrize("shared", [True, False])
def test_weight_maps(tmp_path, shared):
    weights = torch.rand(1, 5, 20, 30)
    path = tmp_path / "maps.png"
    drawn(weight_maps(torch.rand(3, 40, 60), weights, path, shared_scale=shared, title="maps"))


@pytest.mark.parametrize(("height", "width"), [(30, 90), (90, 30)])
def test_kernel_points(tmp_path, height, width):
    points = [(0, 0), (height // 3 - 1, width // 3 - 1), (4, 5)]
    kernels = {
        name: torch.stack([gaussian(sigma) for _ in points])
        for name, sigma in (("truth", 1.0), ("a model of a very long name", 1.2))
    }
    path = kernel_points(torch.rand(1, height, width), points, kernels, tmp_path / "p", scale=3)
    assert path.suffix == ".png"
    drawn(path)


@pytest.mark.parametrize(("height", "width"), [(60, 90), (90, 60)])
def test_kernel_grid(tmp_path, height, width):
    """Each kernel lies over its region of the dimmed image, and all share one scale of colours."""
    kernels = torch.zeros(2, 3, 9, 9)
    kernels[..., 4, 4], kernels[0, 0, 4, 4], kernels[1, 2, 3, 4] = 0.5, 1.0, -0.5
    path = kernel_grid(torch.full((3, height, width), 0.5), kernels, tmp_path / "g.png")
    image = drawn(path).astype(int)
    grey = np.array([57, 57, 57])  # half of 255, dimmed
    dim = np.abs(image - grey).max(2) <= 2
    rows, columns = (np.nonzero(dim.mean(axis) > 0.1)[0] for axis in (1, 0))
    top, left, down, across = rows.min(), columns.min(), np.ptp(rows), np.ptp(columns)
    assert down / across == pytest.approx(height / width, rel=0.02)

    height_, width_ = down, across
    # Only three rows and columns are not faint; the centre of a tap lies beside the cross.
    side = 0.72 * min(down / 2, across / 3) / 3
    beside = round(side * 0.3)

    def tap(row, column, down=0):
        y, x = top + (row + 0.5) / 2 * height_, left + (column + 0.5) / 3 * width_
        return image[round(y + down * side) - beside, round(x) - beside]

    for place, value in (((0, 0), 1.0), ((0, 1), 0.5), ((1, 2), 0.5), ((1, 2, -1), -0.5)):
        assert np.abs(tap(*place) - tap_colours(np.array(value), 1.0)).max() <= 2, place
    assert (tap(0, 0, -1) == 255).all()
    for wrong in (torch.rand(2, 9, 9), torch.rand(0, 3, 9, 9)):
        with pytest.raises(ValueError, match="a grid of kernels"):
            kernel_grid(torch.rand(3, 9, 9), wrong, tmp_path / "a.png")


def test_the_crop_lies_where_the_detail_is():
    image = np.zeros((60, 80, 3), np.uint8)
    image[40:50, 60:70] = np.random.default_rng(0).integers(0, 255, (10, 10, 3))
    top, left = busiest_crop(image, 16)
    assert top <= 39 and top + 16 >= 51 and left <= 59 and left + 16 >= 71
    assert busiest_crop(image[:16, :16], 16) == (0, 0)


def test_the_crop_shows_structure_that_methods_draw_differently():
    """Neither the strongest edges, which all draw alike, nor different noise in a flat region."""
    random = np.random.default_rng(0)
    scene = np.full((90, 120, 3), 90, np.uint8)
    scene[5:25, 5:25] = 255 * random.integers(0, 2, (20, 20, 1))
    scene[60:80, 80:100] += (40 * random.random((20, 20, 1))).astype(np.uint8)
    first, second = scene.copy(), scene.copy()
    second[62:78, 82:98] = 110
    first[60:80, 10:30] += random.integers(0, 60, (20, 20, 3), np.uint8)
    top, left = telling_crop([first, second, scene], 20)
    assert abs(top - 60) <= 4 and abs(left - 80) <= 4
    # Where methods are alike, or there is one, structure decides.
    for images in ([scene, scene, scene], [second, scene]):
        top, left = telling_crop(images, 20)
        assert abs(top - 5) <= 1 and abs(left - 5) <= 1
    # LR images of a finer scene: multiples of the scale, in pixels of the scene.
    small = [image[::3, ::3] for image in (first, second)]
    top, left = telling_crop([*small, scene], 21, 3)
    assert top % 3 == left % 3 == 0 and abs(top - 60) <= 6 and abs(left - 80) <= 6


def test_crops_are_enlarged_by_nearest_neighbour():
    image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    found = enlarge_crop(image, (2, 3), 4, (8, 8), 12)
    assert (found == image[2:6, 3:7].repeat(3, 0).repeat(3, 1)).all()
    # The LR image shows the same part of the scene with fewer pixels.
    found = enlarge_crop(image[::2, ::2], (2, 4), 4, (8, 8), 12)
    assert (found == image[::2, ::2][1:3, 2:4].repeat(6, 0).repeat(6, 1)).all()


@pytest.mark.parametrize("crop_size", [None, 16, 0, 500])
def test_comparison_sheet(tmp_path, crop_size):
    hr = torch.rand(3, 64, 96)
    rows = [
        SheetRow(
            "one_$x$",
            {"LR": hr[:, ::4, ::4], "VDSR": hr[:1], "HR": hr},
            {"VDSR": 31.415, "LR": "crop 31.42 dB, 0.912\nimage 30.00 dB"},
        ),
        SheetRow(
            "a name that does not end", {"LR": hr[:, :, :40], "HR": hr[:, :, :40]}, crop=(90, 3)
        ),
    ]
    path = tmp_path / "sheet.png"
    drawn(comparison_sheet(rows, path, crop_size=crop_size, title="A sheet", caption="psnr[rgb]"))


def test_curves_and_table(tmp_path):
    steps = list(range(0, 100, 10))
    path = tmp_path / "one" / "curve.png"
    series = {"DML": (steps, [30 - 10 / (1 + step) for step in steps]), "KPN": (steps, steps)}
    drawn(training_curves(series, path, references={"identity": 27.7}, title="LR fidelity"))
    path = tmp_path / "two" / "table.png"
    note = "psnr[realsr-official] in dB, mean of three seeds, a rather long note"
    drawn(table_picture(["method", "dB"], [["DML", "33.9"]], path, title="T", note=note))
    with pytest.raises(ValueError, match="cells"):
        table_picture(["method", "dB"], [["DML"]], path)


def test_pictures_are_reproducible(tmp_path):
    first, second = (tmp_path / name for name in ("1.png", "2.png"))
    for path in (first, second):
        basis_kernels(gaussian(1.0)[None], path)
    assert first.read_bytes() == second.read_bytes()
    hr = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    for path in (first, second):
        comparison_sheet([SheetRow("a", {"SR": hr.flip(1), "HR": hr}, {"SR": "1.00 dB"})], path)
    assert first.read_bytes() == second.read_bytes()
    for path in (first, second):
        weight_maps(hr, hr, path, kernels=torch.stack([gaussian(1.0)] * 3))
    assert first.read_bytes() == second.read_bytes()


def test_misuse_is_refused(tmp_path):
    with pytest.raises(ValueError, match="2 kernels for 1 points"):
        kernel_points(torch.rand(3, 9, 9), [(1, 1)], {"a": torch.rand(2, 3, 3)}, tmp_path / "a.png")
    with pytest.raises(ValueError, match="no point"):
        kernel_points(torch.rand(3, 9, 9), [], {}, tmp_path / "a.png")
    with pytest.raises(ValueError, match="N, k, k"):
        basis_kernels(torch.rand(3, 3), tmp_path / "a.png")
    with pytest.raises(ValueError, match="N, h, w"):
        weight_maps(torch.rand(3, 9, 9), torch.rand(9, 9), tmp_path / "a.png")
    with pytest.raises(ValueError, match="at least one row"):
        comparison_sheet([], tmp_path / "a.png")
    for wrong in (torch.rand(2, 3, 9, 9), torch.rand(2, 9, 9), np.zeros((9, 9))):
        with pytest.raises(ValueError, match="an image (has|is)"):
            pixels(wrong)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        basis_kernels(gaussian(1.0)[None], tmp_path / "file" / "a.png")
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_matplotlib_is_imported_late_and_without_pyplot():
    for file in Path(visualization.__file__).parent.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                text = ast.unparse(node)
                assert "pyplot" not in text
                assert "matplotlib" not in text or node not in tree.body, f"{file.name}: {text}"

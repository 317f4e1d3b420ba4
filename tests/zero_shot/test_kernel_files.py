"""Files of kernels: what is read, and what is refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy.io import savemat

from realdeg.degradations.primitives.kernels import centre_rest, gaussian_kernel
from realdeg.errors import CheckpointError, ConfigError, DataError, GeometryError
from realdeg.zero_shot import DIP, ZSSR
from realdeg.zero_shot.kernel_file import read_kernel

KERNEL = gaussian_kernel(9, 1.2, 0.7, 0.4, (0.5, 0.5)).double()


@pytest.fixture
def folder(tmp_path):
    rows = KERNEL.numpy()
    np.save(tmp_path / "k.npy", rows)
    savemat(tmp_path / "k.mat", {"Kernel": rows})
    (tmp_path / "k.json").write_text(json.dumps({"kernel": rows.tolist(), "noise": 2}))
    (tmp_path / "r.json").write_text(json.dumps({"shape": "gaussian", "size": 9, "sigma_x": 1.3}))
    return tmp_path


def test_every_format_gives_the_kernel(folder):
    for name in ("k.npy", "k.mat", "k.json"):
        found = read_kernel(folder / name, 2)
        torch.testing.assert_close(found, KERNEL, rtol=0, atol=1e-6)
    rest = centre_rest(9, 2)
    wanted = gaussian_kernel(9, 1.3, centre=(rest, rest)).double()
    torch.testing.assert_close(read_kernel(folder / "r.json", 2), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", [ZSSR, DIP])
def test_methods_take_a_file(folder, method):
    small = {"iterations": 2, "width": 4}
    small |= {"levels": 1, "inputs": 2, "skip": 2} if method is DIP else {"depth": 2}
    lr = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    given = {"file": str(folder / "k.npy")}
    made = method(scale=2, kernel=given, **small)(lr)
    wanted = method(scale=2, **small)(lr, cond=KERNEL[None, None].float())
    torch.testing.assert_close(made, wanted, rtol=0, atol=1e-5)
    with pytest.raises(ConfigError, match=r"dict\(file='path'\)"):
        method(scale=2, kernel={**given, "size": 3})
    with pytest.raises(ConfigError, match="no estimator named 'best'"):
        method(scale=2, kernel="best")
    with pytest.raises(GeometryError, match="scale 2, 3 or 4, got 5"):
        method.check_config({"type": "X", "scale": 5, "kernel": "KernelGAN"}, "backbone")
    with pytest.raises(ConfigError, match="iteration"):
        method.check_config({"kernel": {"type": "KernelGAN", "iteration": 5}}, "backbone")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.npy", np.full((3, 4), 1 / 12), r"shape \(3, 4\).*square"),
        ("a.npy", np.full((3, 3), 1.0), "sum 9: divide"),
        ("a.npy", np.full((3, 3), np.nan), "sum nan"),
        ("a.npy", np.full((257, 257), 257.0**-2), "257 pixels wide"),
        ("a.npy", np.diag([0.0, 2.0, -1.0]), "centroid far outside"),
        ("a.npy", np.array([{"a": 1}], dtype=object), "not a NumPy array of numbers"),
        ("a.npy", b"\x93NUMPY\x01\x00", "not a NumPy array"),
        ("a.mat", {"other": np.eye(3) / 3}, "no matrix 'Kernel or kernel or k or K'"),
        ("a.json", {"kernel": [[0.5, 0.5], [0.0]]}, "rows of equal length"),
        ("a.json", {"kernel": [["x"]]}, "other than numbers"),
        ("a.json", {"shape": "round", "size": 3}, "'shape' is one of"),
        ("a.txt", b"1", "suffix is none of"),
    ],
)
def test_what_is_no_kernel(tmp_path, name, content, problem):
    file = tmp_path / name
    if isinstance(content, np.ndarray):
        np.save(file, content, allow_pickle=True)
    elif isinstance(content, bytes):
        file.write_bytes(content)
    elif name.endswith(".mat"):
        savemat(file, content)
    else:
        file.write_text(json.dumps(content))
    with pytest.raises((DataError, CheckpointError), match=problem):
        read_kernel(file, 2)
    with pytest.raises(DataError, match="it is a folder"):
        read_kernel(tmp_path, 2)


def test_a_claimed_size_takes_no_memory(tmp_path):
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (100000, 100000), }"
    text = header.ljust(117) + "\n"
    (tmp_path / "a.npy").write_bytes(
        b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    )
    with pytest.raises(DataError, match=r"100000, 100000"):
        read_kernel(tmp_path / "a.npy", 2)

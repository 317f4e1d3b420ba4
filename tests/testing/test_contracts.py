"""The contract classes as a plug-in's author meets them."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from realdeg import testing
from realdeg.registry import BACKBONES, DATASETS, DEGRADATIONS, LOSSES
from realdeg.testing.datasets import write_picture

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {
    "my_camera.py": (DEGRADATIONS, "Underexposure", "your_own_degradation.md"),
    "my_network.py": (BACKBONES, "TinySubPixel", "your_own_backbone.md"),
    "my_loss.py": (LOSSES, "LogLoss", "your_own_loss.md"),
    "my_data.py": (DATASETS, "MyDataset", "your_own_dataset.md"),
}
CONTRACTS = [
    getattr(testing, name) for name in testing.__all__ if name not in ("Contract", "ContractError")
]

STRANGER = """
    import torch
    from realdeg.degradations import Degradation, Trace
    from realdeg.registry import DEGRADATIONS
    from realdeg.testing import DegradationContract


    @DEGRADATIONS.register_module()
    class Flicker(Degradation):
        '''Brightens, and reduces to every scale-th pixel in the middle of its block.'''

        same_grid_part = True

        def sample_one(self, size, seed):
            return Trace("Flicker", {**self.trace_params(), "by": seed % 7 / 70}, size)

        def degrade(self, hr, traces):
            by = torch.tensor([trace.get("by", float) for trace in traces]).view(-1, 1, 1, 1)
            rows = torch.nn.functional.avg_pool2d(hr, self.stride)
            return rows + by + FAULT


    class TestFlicker(DegradationContract):
        component = Flicker


    class TestNothing(DegradationContract):
        pass
"""


def run(folder: Path, fault: str, *options: str) -> str:
    """Run the stranger's file of tests as its author does, and return what pytest prints."""
    file = folder / "test_flicker.py"
    file.write_text(textwrap.dedent(STRANGER).replace("FAULT", fault))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(
        [*command, "--rootdir", str(folder), str(file), *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_three_lines_are_enough(tmp_path):
    printed = run(tmp_path, "0", "-k", "TestFlicker")
    assert " passed" in printed and "failed" not in printed and "error" not in printed, printed


def test_a_failure_says_what_is_asked_and_where_it_is_documented(tmp_path):
    printed = run(tmp_path, "0.1 * torch.rand_like(hr[..., :1, :1])", "-k", "json or Nothing")
    assert "Flicker breaks the contract: A trace records every decision" in printed
    assert "The contract is stated in docs/your_own_degradation.md." in printed
    assert "where" in printed, "assertions are rewritten to show their values"
    assert "TestNothing has no component: add 'component = YourClass'." in printed


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_every_promise_is_said_in_words(contract):
    assert (ROOT / contract.page).is_file()
    tests = [test for name, test in inspect.getmembers(contract) if name.startswith("test_")]
    assert len(tests) > 4
    assert not [test.__name__ for test in tests if not test.__doc__]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "import sys; sys.modules['pytest'] = None; import realdeg.testing",
            "realdeg.testing needs pytest: pip install 'realdeg[testing]'.",
        ),
        (
            "import sys, realdeg.degradations; sys.exit(str('pytest' in sys.modules))",
            "False",
        ),
    ],
    ids=["without pytest", "realdeg alone"],
)
def test_pytest_is_needed_for_this_alone(code, said):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert said in done.stderr


@pytest.fixture
def documented(request, tmp_path_factory, monkeypatch):
    """The class in the example of a page, as a module that the reader has saved."""
    registry, name, page = EXAMPLES[request.cls.example]
    text = (ROOT / "docs" / page).read_text("utf-8")
    code = re.search(rf"```python\n(# {request.cls.example}.*?)```", text, re.DOTALL)[1]
    folder = tmp_path_factory.mktemp("module")
    (folder / request.cls.example).write_text(code, "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    module = request.cls.example.removesuffix(".py")
    request.instance.component = getattr(importlib.import_module(module), name)
    yield
    del sys.modules[module]
    registry.module_dict.pop(name)


@pytest.mark.usefixtures("documented")
class TestDocumentedDegradation(testing.DegradationContract):
    example = "my_camera.py"


@pytest.mark.usefixtures("documented")
class TestDocumentedBackbone(testing.BackboneContract):
    example = "my_network.py"


@pytest.mark.usefixtures("documented")
class TestDocumentedLoss(testing.LossContract):
    example = "my_loss.py"


@pytest.mark.usefixtures("documented")
class TestDocumentedDataset(testing.DatasetContract):
    example = "my_data.py"
    arguments = {"scale": 2}

    @pytest.fixture
    def settings(self, documented, tmp_path):
        for scene in ("scene_01", "scene_02"):
            write_picture(tmp_path / scene / "sharp.png", 32, 48)
            write_picture(tmp_path / scene / "photo.png", 16, 24)
        return {**self.config, "data_root": str(tmp_path), "folder": str(tmp_path)}

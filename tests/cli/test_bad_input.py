"""Every likely mistake, through the command line: one clear message, code 2, nothing lost."""

import errno
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from realdeg.cli.main import main
from realdeg.utils.image import write_image

DML = "dml/dml_n8_realsr_x2"
VDSR = "vdsr/vdsr_realsr_x2"
SAMPLE = ("--sample", "--device", "cpu")
TINY = (
    "degradation.width=4",
    "degradation.levels=1",
    "degradation.num_kernels=2",
    "degradation.kernel_size=5",
    "train_cfg.max_iters=2",
)
TINY_VDSR = ("backbone.depth=3", "backbone.width=4", "train_cfg.max_iters=1")
REAL = (
    "data_root=data",
    "train_dataloader.dataset.transforms.0.patch_size=24",
    "train_dataloader.batch_size=4",
    "train_dataloader.num_workers=0",
    "val_dataloader.num_workers=0",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A work dir of each task, of two iterations and of one."""
    root = tmp_path_factory.mktemp("trained")
    for name, options in ((DML, TINY), (VDSR, TINY_VDSR)):
        folder = root / name.split("/")[0]
        assert (
            main(["train", name, *SAMPLE, "--work-dir", str(folder), "--cfg-options", *options])
            == 0
        )
    return root


@pytest.fixture
def here(tmp_path, monkeypatch, trained):
    """An empty current folder, but for copies of what was trained."""
    for folder in trained.iterdir():
        shutil.copytree(folder, tmp_path / folder.name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(here, capfd):
    """Run a command that must be refused, and return its message."""

    def run(*words, options=TINY):
        kept = contents(here)
        capfd.readouterr()
        more = ("--cfg-options", *map(str, options)) if options else ()
        assert main([*map(str, words), *more]) == 2
        # libpng speaks to stderr on its own.
        lines = capfd.readouterr().err.splitlines(keepends=True)
        written = "".join(line for line in lines if not line.startswith("libpng"))
        assert "Traceback" not in written and written.count("error: ") == 1, written
        # What was there is there still, as it was.
        assert contents(here).items() >= kept.items()
        return written[written.index("error: ") :].strip()

    return run


def contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def make_pairs(release="RealSR(V2)", scale=2, hr=(48, 48), lr=(48, 48)):
    noise = np.random.default_rng(0)
    for camera in ("Canon", "Nikon"):
        for split in ("Train", "Test"):
            folder = Path("data", release, camera, split, str(scale))
            for number in range(2):
                for kind, size in (("HR", hr), (f"LR{scale}", lr)):
                    image = noise.integers(0, 255, (*size, 3), dtype=np.uint8)
                    write_image(folder / f"{camera}_{number}_{kind}.png", image)
    return Path("data", release, "Canon", "Train", str(scale))


def test_no_data(refused):
    said = refused("train", DML)
    assert "looked for data/RealSR(V2)" in said and "--sample" in said
    assert "Set data_root" in refused("test", DML, "dml/degradation.safetensors")
    said = refused("train", "vdsr/vdsr_syn_dml_x2", options=("degradation=Bicubic", *TINY_VDSR))
    assert "looked for data/Flickr2K/Flickr2K_HR" in said and "--sample" in said


def test_pairs_of_wrong_size(refused):
    folder = make_pairs()
    write_image(folder / "Canon_1_LR2.png", np.zeros((40, 48, 3), np.uint8))
    said = refused("train", DML, options=TINY + REAL)
    assert "RealSR V2 train: 1 fault" in said and str(folder / "Canon_1_LR2.png") in said
    assert "LR is 40 x 48 where HR is 48 x 48; wanted the same size" in said


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda content: b"", "is empty (0 bytes)"),
        (lambda content: b"<html>404</html>" * 9, "damaged or not an image"),
        (lambda content: content[: len(content) // 2], "is truncated"),
    ],
)
def test_broken_images(refused, damage, said):
    file = make_pairs() / "Canon_0_HR.png"
    file.write_bytes(damage(file.read_bytes()))
    message = refused("train", DML, options=TINY + REAL)
    assert str(file) in message and said in message and "fix or remove" in message


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_breaks_while_it_is_read(refused, workers):
    file = make_pairs() / "Canon_0_HR.png"
    content = bytearray(file.read_bytes())
    content[60:-60] = b"\xaa" * (len(content) - 120)
    file.write_bytes(bytes(content))
    options = (*TINY, *REAL, f"train_dataloader.num_workers={workers}")
    options = (*options, "train_dataloader.batch_size=8")
    message = refused("train", DML, options=options)
    assert message.startswith(f"error: the image {file} cannot be decoded")
    assert len(message.splitlines()) == 1


def test_a_worker_that_is_killed(refused, here, monkeypatch):
    (here / "killing.py").write_text(
        "import os, signal\n"
        "from realdeg.registry import TRANSFORMS\n"
        "@TRANSFORMS.register_module(force=True)\n"
        "class Kill:\n"
        "    def __call__(self, results):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    monkeypatch.syspath_prepend(here)
    steps = "train_dataloader.dataset.transforms=[dict(type=Kill),dict(type=PackSample)]"
    options = (*TINY, "train_dataloader.num_workers=1", "custom_imports.imports=killing", steps)
    message = refused("train", DML, *SAMPLE, options=options)
    assert "DataLoader worker" in message and "num_workers" in message


class Code:
    """What a pickle may hold: a call."""

    def __reduce__(self):
        return (os.mkdir, (str(Path("ran").absolute()),))


@pytest.fixture
def bad_files(here):
    """Checkpoints that cannot be taken, by what is wrong with them."""
    whole = Path("dml/iter_2.pth").read_bytes()
    Path("truncated.pth").write_bytes(whole[: len(whole) // 2])
    # A run's folder stands for its weights; this one has none yet.
    Path("stopped").mkdir()
    Path("stopped/iter_2.pth").write_bytes(whole)
    Path("empty.pth").touch()
    Path("text.pth").write_text("no checkpoint")
    component = Path("dml/degradation.safetensors").read_bytes()
    Path("truncated.safetensors").write_bytes(component[: len(component) // 2])
    altered = bytearray(component)
    altered[-1] ^= 1
    Path("altered.safetensors").write_bytes(bytes(altered))
    torch.save({"state_dict": {"weight": Code()}, "meta": {}}, "code.pth")
    Path("bare_code.pth").write_bytes(pickle.dumps(Code()))
    shutil.copy("code.pth", "code.safetensors")
    torch.save({"state_dict": {"weight": torch.zeros(2)}, "meta": {"iter": 1}}, "foreign.pth")
    return here


FILES = [
    ("truncated.pth", "is truncated"),
    ("empty.pth", "truncated to 0 bytes"),
    ("text.pth", "truncated or no checkpoint"),
    ("none.pth", "does not exist"),
    ("stopped", "is a folder, not a checkpoint: stopped holds iter_2.pth"),
    ("code.pth", "pickled code"),
    ("bare_code.pth", "pickled code"),
    ("foreign.pth", "missing degradation.bases (2, 5, 5)"),
]


@pytest.mark.parametrize(("file", "said"), FILES)
def test_checkpoints_that_cannot_be_resumed_or_tested(refused, bad_files, file, said):
    message = refused("test", DML, file, *SAMPLE)
    assert file in message and said in message
    message = refused("train", DML, *SAMPLE, "--work-dir", "dml", "--resume", file)
    assert file in message and said in message
    assert not Path("ran").exists()


def test_weights_have_no_training_state(refused):
    file = "dml/degradation.safetensors"
    message = refused("train", DML, *SAMPLE, "--work-dir", "dml", "--resume", file)
    assert f"load_from={file}" in message


def test_a_work_dir_whose_checkpoints_are_all_broken(refused):
    Path("dml/iter_2.pth").write_bytes(b"")
    message = refused("train", DML, *SAMPLE, "--work-dir", "dml", "--resume")
    assert "none of the 1 checkpoints" in message


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("truncated.safetensors", "truncated or of another format"),
        ("altered.safetensors", "was altered"),
        ("code.safetensors", "cannot be read as safetensors"),
        ("none.safetensors", "there is no none.safetensors"),
        ("dml/iter_2.pth", "give the degradation.safetensors"),
        ("code.pth", "cannot be read as safetensors"),
        ("vdsr/backbone.safetensors", "holds a backbone (VDSR), wanted a degradation"),
    ],
)
def test_degradations_that_cannot_be_taken(refused, bad_files, file, said):
    options = (f"degradation={file}", *TINY_VDSR)
    message = refused("train", "vdsr/vdsr_syn_dml_x2", *SAMPLE, options=options)
    assert file in message and said in message
    Path("hr").mkdir()
    message = refused("degrade", file, "hr", "lr", options=())
    assert file in message and not Path("ran").exists()


def test_another_architecture(refused):
    options = (*TINY, "degradation.width=6")
    wanted = "degradation.network.head.weight is (4, 1, 3, 3), wanted (6, 1, 3, 3)"
    for words in (
        ("train", DML, "--work-dir", "dml", "--resume"),
        ("train", DML, "--work-dir", "dml", "--resume", "dml/iter_2.pth"),
    ):
        assert wanted in refused(*words, *SAMPLE, options=options)
    more = (*options, "load_from=dml/degradation.safetensors")
    message = refused("train", DML, "--work-dir", "other", *SAMPLE, options=more)
    assert wanted.removeprefix("degradation.") in message and " more" in message
    message = refused("test", VDSR, "dml/degradation.safetensors", *SAMPLE, options=TINY_VDSR)
    assert "holds a degradation" in message


def test_arguments_that_differ_are_the_files_and_named(here, capfd):
    words = ["test", DML, "dml/iter_2.pth", *SAMPLE, "--no-pictures", "--work-dir", "out"]
    assert main([*words, "--cfg-options", *TINY, "degradation.activation=softmax"]) == 0
    assert "activation='sigmoid' (the config: 'softmax')" in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("nonsense=1", "unknown top-level key 'nonsense'"),
        ("optim_wraper.optimizer.lr=1", "Did you mean 'optim_wrapper'"),
        ("optim_wrapper.optimizer.lrr=1", "Did you mean 'lr'?"),
        ("optim_wrapper.optimizer.type=Adamm", "Did you mean 'Adam'"),
        ("optim_wrapper.optimizer=Adam", "wanted a dict with a type"),
        ("optim_wrapper.optimizer.lr=fast", "is 'fast', wanted a number"),
        (
            "optim_wrapper.optimizer.lr=-1",
            "'optim_wrapper.optimizer' (Adam) cannot be built: Invalid learning rate: -1",
        ),
        ("optim_wrapper.clip_grad=5", "is 5, wanted a dict"),
        ("model=5", "'model' is 5, wanted a dict"),
        ("model.type=Nothing", "no task named 'Nothing' at 'model.type'"),
        ("model.colour=blue", "'y' or 'rgb'"),
        ("model.loss=MSELoss", "'model.loss' is 'MSELoss', wanted a dict"),
        ("model.loss.type=MSELos", "Did you mean 'MSELoss'"),
        ("model.loss.wieght=1", "'model.loss.wieght'"),
        ("model.loss.weight=heavy", "'model.loss.weight' is 'heavy', wanted a number"),
        ("model.loss.reduction=average", "wanted 'mean' or 'sum'"),
        ("degradation.type=DMLL", "Did you mean 'DML'"),
        ("degradation.num_kernel=3", "Did you mean 'num_kernels'"),
        ("degradation.num_kernels=many", "is 'many', wanted a whole number"),
        ("degradation.num_kernels=0", "num_kernels' is 0, wanted a whole number, 1 or more"),
        ("degradation.skips=3", "is 3, wanted True or False"),
        ("train_dataloader.dataset=x", "'train_dataloader.dataset' is 'x'"),
        ("train_dataloader.dataset.type=RealSR", "Did you mean 'RealSRDataset'"),
        ("train_dataloader.dataset.splitt=train", "Did you mean 'split'"),
        ("train_dataloader.dataset.transforms=5", "is 5, wanted a list"),
        ("train_dataloader.dataset.transforms.0=5", "wanted a dict with a type"),
        ("train_dataloader.dataset.transforms.0.type=PairedCorp", "'PairedCrop'"),
        ("train_dataloader.dataset.transforms.0.size=3", "transforms.0.size'"),
        ("train_dataloader.dataset.transforms.1.horizontal=maybe", "wanted True or False"),
        ("train_dataloader.dataset.transforms.9.type=Flip", "is a list of 3"),
        ("train_dataloader.num_workers=-1", "is -1, wanted a whole number from 0 to 512"),
        ("train_dataloader.num_workers=two", "is 'two', wanted a whole number"),
        ("train_dataloader.batch_size=0", "wanted a whole number from 1 to 65536"),
        ("train_dataloader.batch_sise=2", "Did you mean 'batch_size'"),
        ("train_dataloader=None", "but not train_dataloader: they belong together"),
        ("val_cfg=None", "but not val_cfg: they belong together"),
        ("val_evaluator.metrics.0.metrics=[psnrr]", "Did you mean 'psnr'?"),
        ("val_evaluator.metrics.0.protocol=nope", "no evaluation protocol named 'nope'"),
        ("train_cfg.max_iters=0", "is 0, wanted a whole number, 1 or more"),
        ("train_cfg.val_interval=often", "is 'often', wanted a whole number"),
        ("default_hooks=5", "'default_hooks' is 5, wanted a dict"),
        ("default_hooks.logger=5", "'default_hooks.logger' is 5, wanted a dict"),
        ("default_hooks.checkpoint.keep=1", "wanted a whole number, 2 or more"),
        ("custom_hooks=[dict(type='Nope',a=1)]", "no hook named 'Nope' at 'custom_hooks.0.type'"),
        ("randomness.seed=a", "'randomness.seed' is 'a'"),
        ("env_cfg.mp_cfg=5", "'env_cfg.mp_cfg' is 5"),
        ("log_level=LOUD", "wanted 'DEBUG', 'INFO'"),
        ("custom_imports.imports=nothing_here", "Is its folder on PYTHONPATH?"),
        ("scale=2.5", "'scale' is 2.5"),
        ("same_size=maybe", "'same_size' is 'maybe'"),
        ("scale=7", "scale is 7, wanted a whole number from 1 to 4"),
        ("load_from=none.pth", "no checkpoint at none.pth"),
    ],
)
def test_config_values(refused, option, said):
    assert said in refused("train", DML, *SAMPLE, options=(*TINY, option))


def test_options_that_cannot_be_read(here, capsys):
    with pytest.raises(SystemExit) as left:
        main(["train", DML, "--cfg-options", "custom_hooks=[dict(type='A'"])
    assert left.value.code == 2 and "the list does not end" in capsys.readouterr().err


def test_config_files(refused, here):
    assert "'dml/dml_n8_realsr_x2'" in refused("train", "dml_n8_realsrx2", options=())
    assert "Names begin with" in refused("train", "nosuchconfig", options=())
    for name, text, said in (
        ("cut.py", "_base_ = [", "line 1, '[' was never closed"),
        ("below.py", "_base_ = 'cut.py'", "or a file of its _base_"),
        ("raises.py", "raise ValueError('no luck')", "ValueError: no luck"),
        ("orphan.py", "_base_ = 'nowhere.py'", "inherits from 'nowhere.py'"),
        ("variable.py", "width = 3", "unknown top-level key 'width'"),
        ("nothing.py", "", "has no 'train_dataloader'"),
    ):
        (here / name).write_text(text)
        message = refused("train", name, options=())
        assert said in message, message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nowhere_at_all", "No module named 'nowhere_at_all'."),
        ("raise SystemExit('bye')", "SystemExit: bye."),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_custom_imports_that_fail(refused, here, monkeypatch, text, said):
    (here / "fails_on_import.py").write_text(text)
    monkeypatch.syspath_prepend(here)
    message = refused("train", DML, *SAMPLE, options=("custom_imports.imports=fails_on_import",))
    assert "custom_imports names 'fails_on_import'" in message and said in message


def test_data_of_another_geometry(refused):
    message = refused("train", DML, options=(*TINY, *REAL, "same_size=False"))
    assert "'dml/dml_n8_realsrv3_x2'" in message
    make_pairs()
    message = refused("train", "dml/dml_n8_realsr_x4", options=TINY + REAL)
    assert "no pairs of scale 4, but of 2" in message and "'dml/dml_n8_realsr_x2'" in message
    make_pairs("RealSR(V3)", 4, (48, 48), (48, 48))
    message = refused("train", "dml/dml_n8_realsrv3_x4", options=TINY + REAL)
    assert "pairs are of equal size" in message and "'dml/dml_n8_realsr_x4'" in message
    make_pairs("RealSR(V3)", 4, (48, 48), (24, 24))
    message = refused("train", "dml/dml_n8_realsrv3_x4", options=TINY + REAL)
    assert "HR is 2 times" in message and "'dml/dml_n8_realsrv3_x2'" in message


def test_weights_of_another_geometry(refused):
    degradation = "degradation=dml/degradation.safetensors"
    message = refused("train", "vdsr/vdsr_syn_dml_x4", *SAMPLE, options=(degradation, *TINY_VDSR))
    assert "scale=2" in message and "'vdsr/vdsr_syn_dml_x2'" in message
    options = TINY_VDSR
    for words in (
        ("test", "vdsr/vdsr_realsr_x4", "vdsr/backbone.safetensors"),
        ("test", "vdsr/vdsr_realsr_x4", "vdsr/iter_1.pth"),
        ("train", "vdsr/vdsr_realsr_x4", "--work-dir", "vdsr", "--resume"),
    ):
        message = refused(*words, *SAMPLE, options=options)
        assert "scale=2 instead of 4" in message and "'vdsr/vdsr_realsr_x2'" in message
    options = ("backbone=vdsr/backbone.safetensors",)
    message = refused("test", "vdsr/vdsr_realsrv3_x2", *SAMPLE, options=options)
    assert "same_size=True" in message and "'vdsr/vdsr_realsr_x2'" in message


def test_places_that_cannot_be_written(refused, here):
    (here / "file").touch()
    make_pairs()
    weights = "dml/degradation.safetensors"
    for words, options in (
        (("train", DML, *SAMPLE, "--work-dir", "file/x"), TINY),
        (("train", DML, *SAMPLE, "--work-dir", "file"), TINY),
        (("test", DML, weights, *SAMPLE, "--work-dir", "file/x"), TINY),
        (("browse", DML, "--sample", "--out", "file/x.png"), TINY),
        (("degrade", weights, "data/RealSR(V2)/Canon/Train/2", "file/x"), ()),
    ):
        message = refused(*words, options=options)
        assert "cannot write" in message and "file" in message and "hoose another" in message


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_while_saving(refused, here, monkeypatch, capfd):
    words = ("train", DML, *SAMPLE, "--work-dir", "dml", "--resume")
    options = (*TINY[:-1], "train_cfg.max_iters=3")
    whole = contents(here / "dml")
    with monkeypatch.context() as patch:
        # The config, written first, would already fail.
        patch.setattr("realdeg.engine.RealdegRunner._write_config", lambda self: None)
        patch.setattr("realdeg.utils.files.os.fsync", full_disk)
        message = refused(*words, options=options)
    assert "iter_3.pth: No space left on device" in message and "is kept" in message
    after = contents(here / "dml")
    assert {name: after[name] for name in whole} == whole
    assert not [name for name in after if ".tmp" in name]
    assert main([*words, "--cfg-options", *options]) == 0
    assert "iter_3.pth" in contents(here / "dml")
    assert "resumed from" in "".join(capfd.readouterr())


def test_a_disk_that_is_full_while_logging(refused, monkeypatch):
    monkeypatch.setattr("mmengine.visualization.LocalVisBackend.add_scalars", full_disk)
    message = refused("train", DML, *SAMPLE, "--work-dir", "full")
    assert message.startswith("error: cannot write full: No space left on device")


def test_a_loss_that_is_not_finite(refused, here):
    terms = "model.loss=dict(type='WeightedLoss',terms=[dict(type='MSELoss'),dict(type='L1Loss')])"
    options = (*TINY[:-1], "train_cfg.max_iters=9", "optim_wrapper.optimizer.lr=1e30", terms)
    options = (*options, "default_hooks.checkpoint.interval=1")
    message = refused("train", DML, *SAMPLE, "--work-dir", "broken", options=options)
    assert message.startswith("error: iteration 2: the loss 'loss_")
    assert "last good checkpoint" in message and "learning rate" in message
    names = sorted(file.name for file in (here / "broken").glob("iter_*"))
    assert names == ["iter_1.pth"]
    assert torch.load(here / "broken" / "iter_1.pth", weights_only=True)["meta"]["iter"] == 1


def test_images_to_work_on(refused, here):
    network = "vdsr/backbone.safetensors"
    assert "nowhere" in refused("infer", network, "nowhere.png", "out.png", options=())
    for exported in ("network.onnx", "network.pt2"):
        message = refused("infer", exported, "nowhere.png", "out.png", options=())
        assert f"{exported} is an export for other programs" in message
    (here / "broken.png").write_bytes(b"no picture")
    message = refused("infer", network, "broken.png", "out.png", options=())
    assert "broken.png cannot be decoded" in message
    assert "no folder nowhere" in refused(
        "degrade", "dml/degradation.safetensors", "nowhere", "lr", options=()
    )

import json
import os
import subprocess
import sys

import pytest

from realdeg.cli.main import COMMANDS, main
from realdeg.degradations import DML
from realdeg.errors import DataError

TINY = (
    "degradation.width=4",
    "degradation.levels=1",
    "degradation.num_kernels=2",
    "degradation.kernel_size=5",
    "train_cfg.max_iters=2",
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(command, *words, options=TINY, sample=True):
    sample_words = ["--sample", "--device", "cpu"] if sample else []
    return main([command, *map(str, words), *sample_words, "--cfg-options", *options])


def test_train_then_test_a_degradation(here, capsys):
    name = "dml/dml_n8_realsr_x2"
    assert run("train", name) == 0
    folder = here / "work_dirs" / "dml_n8_realsr_x2"
    assert (folder / "iter_2.pth").is_file() and (folder / "config.yaml").is_file()
    said = capsys.readouterr()
    assert "SAMPLE RUN" in said.err and "data" in said.err + said.out

    assert run("test", name, folder / "degradation.safetensors") == 0
    report = json.loads((folder / "test" / "report.json").read_text())
    assert report["sample"] is True and "psnr[lr-fidelity]" in report["mean"]
    assert report["mean"]["kernel/points"] > 0 and len(report["images"]) == 3
    assert {path.name for path in (folder / "test").glob("*.png")} == {
        "bases.png",
        "comparison.png",
        "kernels.png",
        "weights.png",
    }
    shown = capsys.readouterr().out
    assert "psnr[lr-fidelity]" in shown and "7 px shaved" in shown and "SAMPLE RUN" in shown

    assert run("test", name, folder / "iter_2.pth", "--no-pictures", "--work-dir", "again") == 0
    again = json.loads((here / "again" / "test" / "report.json").read_text())
    assert again["mean"] == report["mean"]
    assert again["checkpoint_hash"] == report["checkpoint_hash"]
    assert not list((here / "again" / "test").glob("*.png"))

    more = (*TINY[:-1], "train_cfg.max_iters=3")
    assert run("train", name, "--resume", options=more) == 0
    assert (folder / "iter_3.pth").is_file()
    assert "resumed from" in "".join(capsys.readouterr())


def test_a_network_on_degraded_images(here):
    dml = DML(2, True, num_kernels=2, kernel_size=5, width=4, levels=1)
    dml.mark_trained()
    dml.save(here / "work_dirs/dml_n8_realsr_x2/degradation.safetensors")
    options = ("backbone.depth=3", "backbone.width=4", "train_cfg.max_iters=1")
    assert run("train", "vdsr/vdsr_realsr_syn_dml_x2", options=options) == 0
    # A test needs neither the degradation nor the training data.
    (here / "work_dirs/dml_n8_realsr_x2/degradation.safetensors").unlink()
    weights = here / "work_dirs/vdsr_realsr_syn_dml_x2/backbone.safetensors"
    words = ("vdsr/vdsr_realsr_syn_dml_x2", weights, "--work-dir", "out")
    assert run("test", *words, options=options) == 0
    assert "psnr[realsr-official]" in (here / "out/test/report.md").read_text()
    assert (here / "out/test/comparison.png").is_file()


def test_what_needs_no_training_needs_no_checkpoint(here, capsys):
    words = ("dml/dml_n8_realsrv3_x4", "--no-pictures", "--work-dir", "out")
    assert run("test", *words, options=("degradation=Bicubic",)) == 0
    assert "Bicubic" in (here / "out/test/report.md").read_text()
    assert run("test", *words) == 2
    assert "is untrained" in capsys.readouterr().err


def test_nothing_to_train(here, capsys):
    assert run("train", "dml/dml_n8_realsr_x2", options=("degradation=Bicubic",)) == 2
    assert "nothing to train" in capsys.readouterr().err


def test_a_closed_form(here):
    assert run("train", "global_kernel/global_kernel_realsrv3_x2", options=("seed=1",)) == 0
    assert (here / "work_dirs/global_kernel_realsrv3_x2/degradation.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "dml/dml_n8_realsr_x5"), "Did you mean"),
        (("train", "dml/dml_n8_realsr_x4", "--cfg-options", "sede=1"), "'seed'"),
        (("train", "dml/dml_n8_realsr_x4"), "--sample"),
        (
            ("train", "dml/dml_n4_realsr_x4", "--cfg-options", "same_size=False"),
            "dml/dml_n4_realsrv3_x4",
        ),
        (("train", "dml/dml_n8_realsr_x4", "--launcher", "pytorch"), "torchrun"),
        (("train", "dml/dml_n8_realsr_x4", "--sample", "--work-dir", "file/x"), "file/x"),
        (
            ("train", "dml/dml_n8_realsr_x4", "--sample", "--device", "warp"),
            "'warp' is not a device",
        ),
        (("test", "dml/dml_n8_realsr_x4", "none.pth", "--sample"), "none.pth"),
    ],
)
def test_mistakes_are_one_sentence_and_code_two(here, capsys, words, said):
    (here / "file").touch()
    assert main(list(words)) == 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("error: ") and said in error
    assert "Traceback" not in error


def test_a_sample_run_does_not_replace_real_weights(here, capsys):
    dml = DML(2, True, num_kernels=2, kernel_size=5, width=4, levels=1)
    dml.mark_trained()
    dml.save(here / "work_dirs/dml_n8_realsr_x2/degradation.safetensors", {"sample": False})
    assert run("train", "dml/dml_n8_realsr_x2") == 2
    assert "was trained on real data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataError("the image is missing."), 2, "error: the image is missing."),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("a bug"), 1, "Traceback"),
    ],
)
def test_where_errors_end(monkeypatch, capsys, error, code, said):
    def fail(args):
        raise error

    monkeypatch.setattr("realdeg.cli.listing.run", fail)
    assert main(["list"]) == code
    assert said in capsys.readouterr().err


def test_options_that_are_no_pairs(capsys):
    with pytest.raises(SystemExit) as left:
        main(["train", "x", "--cfg-options", "seed"])
    assert left.value.code == 2 and "KEY=VALUE" in capsys.readouterr().err


def test_listing(capsys):
    assert main(["list", "configs", "vdsr_syn_dml_x"]) == 0
    assert capsys.readouterr().out.split() == [f"vdsr/vdsr_syn_dml_x{scale}" for scale in (2, 3, 4)]
    assert main(["list", "components"]) == 0
    out = capsys.readouterr().out
    assert "degradations:\n" in out and "  DML\n" in out
    assert main(["list", "components", "espcn"]) == 0
    assert capsys.readouterr().out.split() == ["backbones:", "ESPCN"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("configs", "dml_n9"), "configs has 'dml_n9' in its name."),
        (("pretrained", "spann"), "Did you mean 'SPAN'"),
        (("pretrained", "spann", "--table"), "`realdeg list pretrained` shows all."),
        (("backbones", "swinirr", "--table"), "Did you mean 'SwinIR'"),
        (("components", "zzzz"), "components has 'zzzz'"),
    ],
)
def test_a_name_that_nothing_has(capsys, words, said):
    assert main(["list", *words]) == 2
    heard = capsys.readouterr()
    assert said in heard.err and not heard.out


def test_help_of_every_command(capsys):
    for command in COMMANDS:
        with pytest.raises(SystemExit) as left:
            main([command, "--help"])
        assert left.value.code == 0 and f"realdeg {command}" in capsys.readouterr().out


def test_help_lists_and_simple_mistakes_come_without_torch(repository):
    script = (
        "import sys\n"
        "from realdeg.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert main(['list', 'configs']) == 0\n"
        "assert main(['train', 'dml/nothing']) == 2\n"
        "assert main(['train', 'dml/dml_n8_realsr_x4', '--cfg-options', 'sede=1']) == 2\n"
        "assert 'torch' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, capture_output=True)


@pytest.mark.parametrize("command", ["train", "browse"])
def test_tools_are_the_commands(repository, command):
    tool = repository / "tools" / f"{command}.py"
    names = ("train", "test", "degrade", "infer", "browse")
    others = [repository / "tools" / f"{name}.py" for name in names]
    assert all(path.is_file() for path in others)
    done = subprocess.run([sys.executable, tool, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and f"realdeg {command}" in done.stdout


def test_a_test_that_runs_out_of_memory_says_so(here, monkeypatch, capsys):
    from realdeg.engine import RealdegRunner

    def short(runner):
        raise RuntimeError("could not create a primitive")

    monkeypatch.setattr(RealdegRunner, "test", short)
    options = ("degradation.type=Bicubic",)
    assert run("test", "dml/dml_n8_realsr_x4", options=options) == 2
    said = capsys.readouterr().err
    assert "memory ran out on the test" in said and "could not create a primitive" in said
    assert "Traceback" not in said

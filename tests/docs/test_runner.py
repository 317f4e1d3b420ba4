"""What a page gets wrong is found: the runner is tried on small pages with one fault each."""

import pytest

from tests.docs.blocks import blocks_of, words_of
from tests.docs.output import missing
from tests.docs.parse import parse_command
from tests.docs.run import Page, shortened, variants
from tests.docs.test_docs import each_of, is_data, slug

WRONG = {
    "a command that is not there": "```\nrealdeg trian x\n```\n",
    "an option that is not there": "```\nrealdeg list backbones --tabel\n```\n",
    "a recipe that is not there": "<!-- docs: parse x -->\n```\nrealdeg train dml/dml_n9\n```\n",
    "an option of a recipe": "<!-- docs: parse x -->\n```\nrealdeg train dml/dml_n8_realsr_x4"
    " --cfg-options degradation.num_kernls=4\n```\n",
    "a script of the checkout": "<!-- docs: parse x -->\n```\npython tools/train.py CONFIG\n```\n",
    "a wrong fragment": "<!-- docs: config dml/dml_n8_realsr_x4 -->\n"
    "```python\ndegradation = dict(num_kernls=4)\n```\n",
    "the second of two values": "<!-- docs: config dml/dml_n8_realsr_x4 -->\n"
    "```python\nscale = 4\nscale = 'x'\n```\n",
    "a name that nobody defined": "```python\nprint(photo)\n```\n",
    "a test that fails": "```python\ndef test_it():\n    assert 0\n```\n",
    "another output": "```\n$ realdeg list backbones\nVDSSR\n```\n",
    "a mistake that is none": "<!-- docs: fails -->\n```\n$ realdeg list backbones\nVDSR\n```\n",
    "a config that nobody loads": "```python\n# mine.py\n"
    "_base_ = ['realdeg::dml/dml_n8_realsr_x4.py']\nsclae = 4\n```\n",
    "an extra that is not there": "```\npip install '.[tensorbord]'\n```\n",
    "a target that is not there": "```\nmake tests\n```\n",
}
RIGHT = (
    "```\n$ realdeg list backbones\nVDSR\n```\n\n"
    "<!-- docs: printed -->\n```\nVDSR\n...\n```\n\n"
    "<!-- docs: fails -->\n```\n$ realdeg list nothing_like_it\nerror: ...\n```\n"
)


def go(text, folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    (folder / "page.md").write_text(text)
    page = Page(folder, capfd, {})
    for block in blocks_of(folder / "page.md", "page.md"):
        with page.at(block):
            page.block(block)
    page.unused_files()


@pytest.mark.parametrize("fault", WRONG)
def test_faults_are_found(fault, tmp_path, monkeypatch, capfd):
    with pytest.raises(pytest.fail.Exception, match=r"page\.md:\d"):
        go(WRONG[fault], tmp_path, monkeypatch, capfd)


def test_numbers_may_differ_and_words_may_not(tmp_path):
    printed = f"14:02:09  val at 2: psnr 20.1 (+3)\nwrote {tmp_path}/a.pth\n"
    home = "/home/me/.cache/realdeg"
    assert (
        missing(f"15:00:00  val at 900: psnr 9 (-1)\nwrote {home}/a.pth", printed, tmp_path) == []
    )
    assert missing("val at 2: ...\nwrote ...", printed, tmp_path) == []
    assert missing("val at 2: ssim 20.1", printed, tmp_path)


def test_words_and_parts():
    assert words_of("A=1 realdeg list  # names") == ["A=1", "realdeg", "list"]
    assert words_of("VDSR: realdeg") == []
    assert variants("a = 1\nb = 2\na = 3") == ["b = 2\na = 1", "b = 2\na = 3"]
    assert is_data("a = dict(b=[1])") and not is_data("a = int(1)")
    assert each_of("a{1,2}b{x,y}") == ["a1bx", "a1by", "a2bx", "a2by"]
    assert slug("What `train` says: [x](y.md)") == "what-train-says-x"
    with pytest.raises(AssertionError, match="module realdeg"):
        parse_command("torchrun --nproc-per-node 2 tools/train.py X".split())


def test_training_is_cut():
    words = shortened(
        "train dml/dml_n8_realsr_x4 --cfg-options train_cfg.max_iters=9 --seed 1".split()
    )
    assert words[-2:] == ["--seed", "1"]
    assert words.index("train_cfg.max_iters=2") > words.index("train_cfg.max_iters=9")
    assert "degradation.width=4" in words

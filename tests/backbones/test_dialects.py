"""Names of other projects, and forms that are read from tensors, over all networks."""

from __future__ import annotations

import contextlib
import random
import re

import pytest
import torch

from realdeg import create_backbone
from realdeg.backbones import load_weights
from realdeg.backbones.base import Backbone
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.common import DIV2K_MEAN
from realdeg.backbones.pretrained import CATALOGUE
from realdeg.backbones.weights import fill, form_of, read_weights
from realdeg.errors import CheckpointError, RealdegError
from realdeg.registry import BACKBONES

CLASSES = {
    name: cls
    for name in BACKBONES.names()
    if isinstance(cls := BACKBONES.get(name), type) and cls.__module__.startswith("realdeg.")
}
# Which denoisers IRCNNHQS holds depends on its schedule, which no tensor tells.
READABLE = [n for n, cls in CLASSES.items() if cls.form_readings and n != "IRCNNHQS"]


def minus(prefix, number, rest=""):
    return lambda match: f"{prefix}{int(match[1]) + number}{rest}"


def caffe_idn(match):
    place = int(match[3]) // 2 + (4 if match[2] == "bottom" else 1)
    return f"conv{int(match[1]) + 3}_{place}."


GENERATOR = [(r"^", "generator.")]
MEANS_OUT = [(r"^(sub|add)_mean\..*", "")]
BASICSR = [
    *MEANS_OUT,
    (r"^head\.\d\.", "conv_first."),
    (r"^body\.2\.", "conv_after_body."),
    (r"^tail\.0\.", "upsample."),
    (r"^tail\.1\.", "conv_last."),
]
EDSR_BLOCKS = [
    (r"^body\.(\d)\.body\.0\.", r"body.\1.conv1."),
    (r"^body\.(\d)\.body\.2\.", r"body.\1.conv2."),
]
RRDB_OLD = [
    (r"^conv_first\.", "model.0."),
    (r"^body\.(\d)\.rdb(\d)\.conv(\d)\.", r"model.1.sub.\1.RDB\2.conv\3.0."),
    (r"^conv_body\.", "model.1.sub.1."),
    (r"^conv_up(\d)\.", lambda match: f"model.{3 * int(match[1])}."),
    (r"^conv_hr\.", "model.8."),
    (r"^conv_last\.", "model.10."),
]
EDSR_PYTORCH = [
    (r"^input\.", "body.0.0."),
    (r"^residual_layer\.(\d)\.conv\.", minus("body.", 1, ".0.")),
    (r"^output\.", "body.3.0."),
]
CAFFE_VDSR = [*EDSR_PYTORCH, (r"^body\.(\d)\.0\.", minus("conv", 1, "."))]
LEFTTHOMAS = [
    (r"^conv1\.", "block1."),
    (r"^conv2\.", "block4."),
    (r"^conv3\.", "block5.1."),
    (r"^upsampling\.(\d)\.upsample_block\.0\.", r"block5.\1.conv."),
    (r"^upsampling\.(\d)\.upsample_block\.2\.", r"block5.\1.prelu."),
    *(
        (rf"^trunk\.(\d)\.rcb\.{place}\.", minus("block", 2, f".{part}."))
        for place, part in enumerate(("conv1", "bn1", "prelu", "conv2", "bn2"))
    ),
]
IDN_CAFFE = [
    (r"^fblock\.module\.0\.", "conv1."),
    (r"^fblock\.module\.2\.", "conv2."),
    (r"^dblocks\.(\d)\.enhancement_(top|bottom)\.(\d)\.", caffe_idn),
    (r"^dblocks\.(\d)\.compression\.", minus("down", 1, ".")),
    (r"^deconv\.", "upsample."),
    (r"weight$", "0"),
    (r"bias$", "1"),
]
RDN_MMAGIC = [
    (r"^SFENet(\d)\.", r"sfe\1."),
    (r"^RDBs\.(\d)\.convs\.(\d)\.conv\.0\.", r"rdbs.\1.layers.\2.conv."),
    (r"^RDBs\.(\d)\.LFF\.", r"rdbs.\1.lff."),
    (r"^GFF\.", "gff."),
    (r"^UPNet\.2\.", "output."),
    (r"^UPNet\.", "upscale."),
]
MS_LAPSRN = [
    (r"^conv_input\.", "input_conv."),
    (r"^features\.recursive_block\.block\.conv_(\d)\.", minus("conv", 1, ".")),
    (r"^transpose\.", "upconv."),
    (r"^predict\.", "residual_conv."),
    (r"^scale_img\.", "img_up."),
    (r"\.weight$", "_f"),
    (r"\.bias$", "_b"),
]
LAPSRN = [
    (r"^conv_input\.", "input_conv."),
    (r"^convt_F(\d)\.0\.cov_block\.0\.", lambda match: f"level{3 - int(match[1])}_conv1."),
    (r"^convt_F(\d)\.0\.cov_block\.2\.", lambda match: f"level{3 - int(match[1])}_upconv."),
    (r"^convt_R(\d)\.", lambda match: f"level{3 - int(match[1])}_residual_conv."),
    (r"^convt_I(\d)\.", lambda match: f"level{3 - int(match[1])}_img_up."),
    (r"\.weight$", "_f"),
    (r"\.bias$", "_b"),
]
TENSORFLOW = [(r"\.weight$", "_w"), (r"\.bias$", "_b")]


def height_first(value):
    return value.permute(2, 3, 1, 0) if value.ndim == 4 else value


# Network, whose names, arguments beside the example's, rules from our names to theirs, and what is
# done to each tensor. An empty name is left out.
FOREIGN = [
    ("EDSR", "BasicSR", {}, [*BASICSR, *EDSR_BLOCKS], None),
    ("EDSR", "BasicSR", {"same_size": True, "scale": 4}, [*BASICSR, *EDSR_BLOCKS], None),
    (
        "EDSR",
        "mmagic",
        {"value_range": 1.0},
        [*BASICSR, *EDSR_BLOCKS, (r"^upsample\.0\.", "upsample.0.upsample_conv."), *GENERATOR],
        None,
    ),
    (
        "RCAN",
        "BasicSR",
        {},
        [
            (r"^body\.(\d)\.body\.1\.", r"body.\1.conv."),
            (r"^body\.(\d)\.body\.(\d)\.body\.", r"body.\1.residual_group.\2.rcab."),
            (r"conv_du\.0", "attention.1"),
            (r"conv_du\.2", "attention.3"),
            *BASICSR,
        ],
        None,
    ),
    ("CARN", "a collection", {}, [(r"_mean\.shifter\.", "_mean.")], None),
    ("CARNM", "a collection", {}, [(r"_mean\.shifter\.", "_mean.")], None),
    ("PCARN", "a collection", {}, [(r"_mean\.shifter\.", "_mean.")], None),
    ("SRResNet", "Lornatang's older code", {}, [(r"^conv(\d)\.", r"conv_block\1.")], None),
    ("SRResNet", "leftthomas/SRGAN", {"tanh": True, "bias": True}, LEFTTHOMAS, None),
    (
        "MSRResNet",
        "mmagic",
        {"leaky_steps": False},
        [(r"^body\.", "trunk_net."), (r"^upconv(\d)\.", r"upsample\1.upsample_conv."), *GENERATOR],
        None,
    ),
    ("RDN", "mmagic and yjn870", {"value_range": 1.0}, RDN_MMAGIC, None),
    ("RDN", "mmagic", {"value_range": 1.0}, [*RDN_MMAGIC, *GENERATOR], None),
    (
        "RRDBNet",
        "the ESRGAN repository, BSRGAN and RealSR",
        {},
        [
            (r"^body\.(\d)\.rdb(\d)\.", r"RRDB_trunk.\1.RDB\2."),
            (r"^conv_body\.", "trunk_conv."),
            (r"^conv_up(\d)\.", r"upconv\1."),
            (r"^conv_hr\.", "HRconv."),
        ],
        None,
    ),
    ("RRDBNet", "ESRGAN's older architecture", {}, RRDB_OLD, None),
    ("RRDBNet", "mmagic", {}, GENERATOR, None),
    ("SRCNN", "mmagic", {}, GENERATOR, None),
    ("VDSR", "EDSR-PyTorch", {}, EDSR_PYTORCH, None),
    (
        "VDSR",
        "huangzehao/caffe-vdsr",
        {},
        CAFFE_VDSR,
        lambda value: value.transpose(2, 3) if value.ndim == 4 else value,
    ),
    (
        "VDSR",
        "huangzehao/caffe-vdsr, as .mat",
        {},
        [*CAFFE_VDSR, (r"^conv(\d)\.(\w+)", r"\2.\1")],
        None,
    ),
    (
        "IDN",
        "Zheng222/IDN-Caffe",
        {},
        IDN_CAFFE,
        lambda value: value.reshape(1, 1, 1, -1) if value.ndim == 1 else value,
    ),
    ("LapSRN", "the authors' MatConvNet", {}, LAPSRN, height_first),
    ("MSLapSRN", "the authors' MatConvNet", {}, MS_LAPSRN, height_first),
    ("DWSR", "tT0NG/DWSRx4, in TensorFlow", {}, TENSORFLOW, height_first),
]
# Dialects that leave out, choose, compute or refuse, which tests of their networks show.
ELSEWHERE = {
    "SFTMD",
    "greatlog/DAN",
    "jiahong-fu/KXNet",
    "jingyang2017/Face-and-Image-super-resolution",
    "sangyun884/CinCGAN-pytorch",
    "yuanjunchai/IKC",
    "ESRGAN+",
    "PCARN",
    "PCARN-pytorch",
    "CARN",
    "a network of three scales",
    "a network of a larger scale",
    "a training",
    "cszn/DPIR",
    "cszn/KAIR",
    "lpj0/MWCNN",
    "the public network for JPEG artefacts",
    "the training form",
    "ncnn's converter",
    "yjn870/IDN-pytorch",
}


def foreign(network: Backbone, rules, change) -> dict[str, torch.Tensor]:
    found = {}
    for name, value in network.state_dict().items():
        for pattern, text in rules:
            name = re.sub(pattern, text, name) if name else ""
        if name:
            found[name] = value if change is None else change(value).contiguous()
    found.pop("generator.", None)
    return found


def build(name: str, more) -> Backbone:
    torch.manual_seed(0)
    example = CLASSES[name].example()
    return CLASSES[name](**{**example.arguments, **more}) if more else example


@pytest.mark.parametrize(
    ("name", "origin", "more", "rules", "change"),
    FOREIGN,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_foreign_names_load_to_the_same_tensors(tmp_path, name, origin, more, rules, change):
    source, path = build(name, more), tmp_path / "foreign.pth"
    stored = foreign(source, rules, change)
    assert stored.keys() != source.state_dict().keys()
    torch.save(stored, path)
    hidden = {
        argument: value
        for argument, value in source.arguments.items()
        if argument not in ("preset", *form_of(type(source), read_weights(path), {}))
    }
    for target in (build(name, more), create_backbone(name, weights=path, **hidden)):
        torch.nn.init.zeros_(next(target.parameters()))
        load_weights(target, path)
        wanted, found = source.state_dict(), target.state_dict()
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[key], wanted[key]) for key in wanted)
        assert target.value_range == source.value_range


def test_every_dialect_is_tested():
    known: set[tuple[str, str]] = {(name, origin) for name, origin, *_ in FOREIGN}
    dialects: list[tuple[str, Dialect]] = [
        (name, dialect) for name, cls in CLASSES.items() for dialect in cls.dialects
    ]
    assert len(dialects) > 30
    untested = {
        (name, dialect.origin)
        for name, dialect in dialects
        if (name, dialect.origin) not in known and dialect.origin not in ELSEWHERE
    }
    assert not untested


@pytest.mark.parametrize("name", READABLE)
def test_a_file_of_another_form_builds_its_network(tmp_path, name):
    source, path = build(name, {}), tmp_path / "w.pth"
    torch.save(source.state_dict(), path)
    found = create_backbone(name, weights=path)
    wanted = source.state_dict()
    assert {key: value.shape for key, value in wanted.items()} == {
        key: value.shape for key, value in found.state_dict().items()
    }
    assert all(torch.equal(value, wanted[key]) for key, value in found.state_dict().items())


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("EDSR", {"scale": 3, "num_blocks": 1, "num_features": 6, "value_range": 1.0}),
        ("EDSR", {"same_size": True, "num_blocks": 1, "num_features": 4, "unshuffle": 2}),
        ("EDSR", {"colour": "y", "mean_shift": False, "num_blocks": 1, "num_features": 4}),
        ("RCAN", {"scale": 8, "num_groups": 1, "num_blocks": 3, "num_features": 8, "reduction": 4}),
        ("MDSR", {"multi_scale": True, "num_blocks": 1, "num_features": 4, "mean_shift": False}),
        ("CARN", {"multi_scale": True, "features": 8, "groups": 2, "mobile": True}),
        ("CARN", {"multi_scale": False, "scale": 3, "features": 8, "groups": 2}),
        ("PCARN", {"multi_scale": False, "scale": 4, "features": 8, "mobile": True}),
        ("SRResNet", {"scale": 8, "bias": True, "channel_slopes": True, "num_features": 4}),
        ("SRResNet", {"scale": 2, "bias": True, "use_bn": False, "num_features": 4}),
        ("MSRResNet", {"scale": 3, "num_features": 4, "num_blocks": 3}),
        ("RDN", {"scale": 4, "num_blocks": 1, "num_convs": 3, "growth": 2, "num_features": 4}),
        ("RRDBNet", {"scale": 2, "unshuffle": 1, "num_blocks": 2, "num_features": 4, "growth": 2}),
        ("RRDBNet", {"scale": 1, "colour": "y", "num_blocks": 1, "num_features": 4, "growth": 3}),
        ("VDSR", {"depth": 5, "width": 3, "bias": False, "colour": "rgb", "mean_shift": True}),
        ("LapSRN", {"scale": 8, "depth": 2, "width": 4, "feature_kernel": 4, "bias": False}),
        ("MWCNN", {"version": "v1", "width": 5, "colour": "rgb"}),
        ("SRVGGNetCompact", {"scale": 3, "num_features": 5, "num_convs": 2, "colour": "y"}),
        ("SRFBN", {"scale": 8, "num_features": 3, "num_groups": 3}),
        ("FSRCNN", {"features": 7, "shrunk": 3, "mapping": 0, "colour": "rgb"}),
        ("DRRN", {"units": 3, "width": 5, "blocks": 2, "use_bn": True, "bias": False}),
        ("DWSR", {"depth": 3, "width": 5, "colour": "rgb"}),
        ("SPAN", {"scale": 4, "num_features": 6, "norm": False, "fused": True}),
        ("SRCNN", {"kernels": "9-3-5", "width": 5, "mapped": 3, "colour": "rgb"}),
        ("IDN", {"features": 24, "distilled": 8, "num_blocks": 2}),
        ("IRCNN", {"width": 4, "colour": "rgb"}),
        ("REDNet", {"depth": 4, "width": 3, "colour": "rgb"}),
        ("LowToHigh", {"scale": 4, "width": 16, "num_blocks": 3, "later_blocks": 2}),
        ("KMSR", {"num_blocks": 3, "width": 5, "colour": "y", "global_skip": True}),
    ],
)
def test_arguments_are_read(tmp_path, name, form):
    source, path = CLASSES[name](**form), tmp_path / "w.pth"
    torch.save(source.state_dict(), path)
    found = create_backbone(name, weights=path)
    assert {key: found.arguments[key] for key in form} == form
    assert all(torch.equal(v, source.state_dict()[k]) for k, v in found.state_dict().items())


def test_a_preset_is_recognised_by_its_sizes():
    """It says what no tensor does: residuals times 0.1."""
    with torch.device("meta"):
        cls = CLASSES["EDSR"]
        state = cls(preset="full", mean_shift=False).state_dict()
    assert form_of(cls, state, {})["preset"] == "full"
    with pytest.raises(
        CheckpointError,
        match=r"num_features=256, num_blocks=32, and num_features=64",
    ):
        form_of(cls, state, {"preset": "baseline"})


def test_what_is_stated_is_held_against_the_file(tmp_path):
    source, path = build("EDSR", {}), tmp_path / "w.pth"
    torch.save(source.state_dict(), path)
    with pytest.raises(
        CheckpointError,
        match=r"EDSR weights in .* have num_blocks=2, and num_blocks=3 is asked for",
    ):
        create_backbone("EDSR", weights=path, num_blocks=3)
    found = create_backbone("EDSR", weights=path, num_blocks=3, partial=True)
    assert found.arguments["num_blocks"] == 3 and found.arguments["num_features"] == 8
    # A network of several scales may lend one of them.
    torch.save(CLASSES["CARN"](features=8).state_dict(), path)
    assert create_backbone("CARN", 3, weights=path, multi_scale=False).arguments["features"] == 8


# One scale of each.
PUBLISHED = {
    f"{entry.type} {dict(entry.arguments)}": entry for entry in CATALOGUE if entry.type in READABLE
}


@pytest.mark.parametrize("entry", PUBLISHED.values(), ids=PUBLISHED.keys())
def test_the_form_of_published_networks_is_read(entry):
    cls = CLASSES[entry.type]
    with torch.device("meta"):
        network = cls(**entry.settings())
    state = {
        name: torch.zeros(()).expand(value.shape) for name, value in network.state_dict().items()
    }
    if "sub_mean.bias" in state:
        state["sub_mean.bias"] = -network.value_range * torch.tensor(DIV2K_MEAN)
    read = form_of(cls, state, {})
    # No tensor tells them: other activations under the same names, and how often a part runs.
    hidden = {"leaky_steps", "recursions", "port", "value_range"}
    stated = {name: value for name, value in entry.settings().items() if name in hidden}
    with torch.device("meta"):
        again = cls(**{**read, **stated})
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in network.state_dict().items()
    }
    fixed = cls.upsample not in ("pre", "none") and entry.type not in ("FSRCNN", "IDN", "MSLapSRN")
    if fixed and len(entry.scales) == 1 and not network.same_size:
        assert again.scale == network.scale
    assert again.value_range == network.value_range


@pytest.mark.parametrize("name", READABLE)
def test_odd_tensors_end_in_a_sentence(name):
    network, draw = build(name, {}), random.Random(0)
    whole = dict(network.state_dict())
    for _ in range(12):
        state = dict(whole)
        for key in draw.sample(list(state), min(3, len(state))):
            match draw.randrange(4):
                case 0:
                    del state[key]
                case 1:
                    state[key] = torch.zeros([draw.choice((0, 1, 3, 5))] * draw.randrange(6))
                case 2:
                    state[key] = torch.zeros(state[key].shape, dtype=torch.complex64)
                case 3:
                    state[re.sub(r"\d", "999999999999", key)] = state[key]
        for use in (
            lambda odd: form_of(type(network), odd, {}),
            lambda odd: fill(network, odd, "odd.pth"),
            lambda odd: fill(network, odd, "odd.pth", partial=True),
        ):
            with contextlib.suppress(RealdegError):
                use(state)

"""Small valid configs of every family, which :mod:`tests.fuzz.configs` then changes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

_PACK = dict(type="PackSample")
_FLIP = dict(type="Flip", horizontal=True, vertical=True, transpose=False)
_COLLATE = dict(type="collate_batch")
_OPTIMIZER = dict(type="Adam", lr=1e-3, betas=(0.9, 0.999))
_SCHEDULE = dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-5)
_HR = dict(type="HRFolderDataset", folder="hr")
_PAIRS = dict(type="PairedFolderDataset", hr_dir="hr", lr_dir="lr", lr_pattern="{name}x{scale}")
_SAME = dict(type="PairedFolderDataset", hr_dir="hr", lr_dir="same")

_SMALL_DML = dict(type="DML", num_kernels=2, kernel_size=5, width=4, levels=1)
_BSRGAN = dict(type="BSRGAN")
_COMPOSE = dict(
    type="Compose",
    parts=[
        dict(type="BlurDown", kernel=dict(shape="gaussian", size=7, sigma_x=[0.2, 2.0])),
        dict(type="AWGN", sigma=10),
        dict(type="JPEG", quality=60),
    ],
)


def bases() -> dict[str, dict[str, Any]]:
    """Return the configs by name; each trains one iteration in a second."""
    made = {
        "srvgg": _network(
            dict(type="SRVGGNetCompact", num_features=4, num_convs=1), dict(type="Bicubic")
        ),
        "edsr": _network(dict(type="EDSR", num_blocks=1, num_features=8), _COMPOSE),
        "rcan": _network(
            dict(type="RCAN", num_groups=1, num_blocks=1, num_features=8, reduction=4), _BSRGAN
        ),
        "vdsr": _network(dict(type="VDSR", depth=3, width=4), dict(type="AWGN", sigma=5), True),
        "espcn": _network(dict(type="ESPCN"), dict(type="RealESRGAN")),
        "prosr": _network(
            dict(type="ProSR", preset="prosrs", blocks=[[1, 1], [1], [1]]), dict(type="Bicubic")
        ),
        "pairs": _network(dict(type="FSRCNN"), None, data=_PAIRS),
        "dml": _learning(_SMALL_DML, _SAME, True),
        "direct": _learning(dict(type="DirectNet", width=4, levels=1), _PAIRS, False),
        "kpn": _learning(dict(type="DirectKPN", width=4, levels=1, kernel_size=5), _PAIRS, False),
        "closed": _closed(),
        "mixture": _mixture(),
        "unpaired": _unpaired(),
        "weighted": _network(
            dict(type="CARN", features=8),
            dict(type="SRMD"),
            loss=dict(
                type="WeightedLoss", terms=[dict(type="L1Loss", name="a"), dict(type="MSELoss")]
            ),
        ),
    }
    return deepcopy(made)


def _network(
    backbone: dict[str, Any],
    degradation: dict[str, Any] | None,
    same_size: bool = False,
    data: dict[str, Any] = _HR,
    loss: dict[str, Any] | None = None,
) -> dict[str, Any]:
    cfg = _run(data, same_size, "benchmark-y")
    cfg.update(
        backbone=backbone, model=dict(type="SuperResolution", loss=loss or dict(type="L1Loss"))
    )
    if degradation is not None:
        cfg["degradation"] = degradation
    return cfg


def _learning(degradation: dict[str, Any], data: dict[str, Any], same: bool) -> dict[str, Any]:
    cfg = _run(data, same, "lr-fidelity")
    cfg.update(
        degradation=degradation, model=dict(type="DegradationLearning", loss=dict(type="MSELoss"))
    )
    return cfg


def _closed() -> dict[str, Any]:
    cfg = _learning(dict(type="GlobalKernel", kernel_size=5), _PAIRS, False)
    cfg["train_cfg"] = dict(type="ClosedFormLoop")
    cfg["train_dataloader"].update(
        sampler=dict(type="EvalSampler"), dataset=dict(_PAIRS, transforms=[dict(_PACK)])
    )
    for key in ("optim_wrapper", "param_scheduler"):
        del cfg[key]
    return cfg


def _mixture() -> dict[str, Any]:
    cfg = _network(dict(type="SRCNN"), dict(type="Bicubic"), True)
    steps = [dict(type="PairedCrop", patch_size=32), dict(_FLIP), dict(_PACK)]
    made = [dict(type="PairedCrop", patch_size=32), dict(type="Degrade", degradation="Bicubic")]
    cfg["train_dataloader"]["dataset"] = dict(
        type="MixtureDataset",
        ratios=[1, 2],
        datasets=[dict(_SAME, transforms=steps), dict(_HR, transforms=[*made, dict(_PACK)])],
    )
    return cfg


def _unpaired() -> dict[str, Any]:
    cfg = _run(_PAIRS, False, "lr-fidelity")
    steps = [dict(type="PairedCrop", patch_size=32), dict(_PACK)]
    parts = [dict(_PAIRS, transforms=deepcopy(steps)) for _ in range(2)]
    step = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=5e-4, betas=[0.5, 0.999]))
    cfg.update(
        degradation=dict(type="DSGAN", width=4, num_blocks=1),
        model=dict(
            type="UnpairedDegradation",
            discriminator=dict(type="DSGANDiscriminator", width=4, filter_size=5),
            loss=dict(type="L1Loss", weight=1.0),
            low_pass_size=5,
            gan_loss=dict(type="CrossEntropyGANLoss", weight=0.005),
            perceptual_loss=dict(type="LPIPSLoss", weight=0.0),
        ),
        model_wrapper_cfg=dict(type="ManualGradientSync"),
        optim_wrapper=dict(
            constructor="MultiOptimizerConstructor", degradation_step=step, discriminator_step=step
        ),
    )
    cfg["train_dataloader"].update(
        collate_fn=dict(type="collate_unpaired"),
        dataset=dict(type="UnpairedDataset", real="lr", datasets=parts),
    )
    return cfg


def _run(data: dict[str, Any], same_size: bool, protocol: str) -> dict[str, Any]:
    metrics = [dict(type="ImageQuality", protocol=protocol, metrics=["psnr"])]
    evaluated = dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type="EvalSampler"),
        collate_fn=_COLLATE,
        dataset=dict(data, transforms=[dict(type="ModCrop"), _PACK]),
    )
    return dict(
        scale=4,
        same_size=same_size,
        seed=0,
        data_root=".",
        default_scope="realdeg",
        train_dataloader=dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type="PositionSampler"),
            collate_fn=_COLLATE,
            dataset=dict(data, transforms=[dict(type="PairedCrop", patch_size=32), _FLIP, _PACK]),
        ),
        val_dataloader=evaluated,
        test_dataloader=evaluated,
        optim_wrapper=dict(type="OptimWrapper", optimizer=_OPTIMIZER),
        param_scheduler=_SCHEDULE,
        train_cfg=dict(type="IterTrainLoop", max_iters=1, val_interval=1),
        val_cfg=dict(type="EvalLoop"),
        test_cfg=dict(type="EvalLoop"),
        val_evaluator=dict(type="Evaluator", metrics=metrics),
        test_evaluator=dict(type="Evaluator", metrics=metrics),
        default_hooks=dict(
            logger=dict(type="ProgressHook", interval=1),
            checkpoint=dict(type="SaveCheckpointHook", interval=1, keep=2),
        ),
        custom_hooks=[dict(type="EMAHook", momentum=0.01)],
        vis_backends=[dict(type="LocalVisBackend")],
        env_cfg=dict(mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0)),
    )

# WaveResNet, the primary network, on Y. The paper's loss is the squared error of bands, the same
# number here; data, patches and rates are not known to us: VDSR's, with its limit on the gradient.
# Patches of 40 (42 at x3).
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_bsds200.py",
    "../_base_/backbones/wave_resnet.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark_y.py",
    "../_base_/schedules/sgd_400k.py",
]
scale = 4
model = dict(loss=dict(weight=40**2 / 2))
optim_wrapper = dict(clip_grad=dict(max_norm=0.4))
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=40),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    )
)

# A camera as realdeg fit learns it: sigmoid weights that start at 1 / N, bases that start as
# Gaussians and keep their sums, and a rate that rises over the first twentieth of the run. With
# softmax the field of kernels can become constant (docs/cameras.md). The last weights are the
# camera: none are chosen by the test pairs. Kernels whose sums differ from 1 act differently on R,
# G and B than on luma, which has an offset: what is applied to R, G and B learns from them, and
# gains 0.3 dB on the Nikon. All data are read in the main process and stay decoded.
_base_ = [
    "../../../configs/_base_/default_runtime.py",
    "../../../configs/_base_/tasks/degradation_learning.py",
]
device = "cpu"
model = dict(colour="rgb")
degradation = dict(
    type="DML",
    num_kernels=8,
    kernel_size=15,
    width=16,
    levels=2,
    activation="sigmoid",
    init="gaussian_bank",
    renormalise=True,
)
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3, betas=(0.9, 0.999)))
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, start_factor=0.01, begin=0, end=75),
    dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-5, begin=75),
]
train_cfg = dict(type="IterTrainLoop", max_iters=1500, val_interval=500)
default_hooks = dict(
    checkpoint=dict(type="SaveCheckpointHook", interval=500, keep=2),
    outputs=dict(type="OutputsHook", stop_when_collapsed=True),
)

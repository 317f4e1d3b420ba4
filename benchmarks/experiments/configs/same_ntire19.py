# LR on the HR grid: DML as `realdeg fit` trains it, from NTIRE 2019.
_base_ = "../../../configs/dml/dml_n8_ntire19_x4_cpu.py"
degradation = dict(activation="sigmoid")
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, start_factor=0.01, begin=0, end=75),
    dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-5, begin=75),
]
# At the rate of City100 the field of kernels becomes constant (docs/cameras.md).
optim_wrapper = dict(optimizer=dict(lr=3e-4))
train_dataloader = dict(num_workers=0, persistent_workers=False)

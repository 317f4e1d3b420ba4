# DML as `realdeg fit` trains it: weights of a sigmoid, which start at 1 / N, and a warm-up of the
# rate. The softmax of the recipes for two CPU cores tends to one kernel for all pixels.
_base_ = "../../../configs/dml/dml_n8_realsrv3crops_x4_cpu.py"
degradation = dict(activation="sigmoid")
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, start_factor=0.01, begin=0, end=100),
    dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-5, begin=100),
]
train_dataloader = dict(num_workers=0)

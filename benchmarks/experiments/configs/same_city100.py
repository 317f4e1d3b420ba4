# LR on the HR grid: DML as `realdeg fit` trains it, from the postcards of City100.
_base_ = "../../../configs/dml/dml_n8_city100_x4_cpu.py"
degradation = dict(activation="sigmoid")
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, start_factor=0.01, begin=0, end=75),
    dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-5, begin=75),
]
# The postcards of the camera city100-iphonex-x4: 24 to learn from, 6 to test.
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(ids="1-24"))
val_dataloader = dict(dataset=dict(ids="51-56"))
test_dataloader = val_dataloader

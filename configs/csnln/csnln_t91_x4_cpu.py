_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="CSNLN", num_features=8, depth=2)
# Attention over whole photos takes minutes: their middle.
val_dataloader = dict(
    dataset=dict(transforms=[dict(type="CentreCrop", patch_size=96), dict(type="PackSample")])
)
test_dataloader = val_dataloader

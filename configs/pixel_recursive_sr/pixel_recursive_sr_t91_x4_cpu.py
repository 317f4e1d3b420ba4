_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_cpu.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/pixel_recursive.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
patch_size = 32
backbone = dict(
    type="PixelRecursiveSR", layers=4, features=16, hidden=64, cond_features=16, cond_blocks=2
)
# Drawing whole photos pixel by pixel takes hours: their middle.
train_dataloader = dict(dataset=dict(transforms=[dict(type="PairedCrop"), dict(type="PackSample")]))
val_dataloader = dict(
    dataset=dict(transforms=[dict(type="CentreCrop", patch_size=32), dict(type="PackSample")])
)
test_dataloader = val_dataloader

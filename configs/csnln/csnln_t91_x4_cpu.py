_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_cpu.py",
    "../_base_/backbones/csnln.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
backbone = dict(num_features=8, depth=2)
# Attention over whole photos takes minutes: their middle.
val_dataloader = dict(
    dataset=dict(transforms=[dict(type="CentreCrop", patch_size=96), dict(type="PackSample")])
)
test_dataloader = val_dataloader

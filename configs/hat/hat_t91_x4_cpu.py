_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_cpu.py",
    "../_base_/backbones/hat.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
backbone = dict(
    groups=2,
    blocks=2,
    width=24,
    heads=2,
    window=4,
    compress=3,
    squeeze=6,
    head_features=24,
)

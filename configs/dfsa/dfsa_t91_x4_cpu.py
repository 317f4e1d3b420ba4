_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_cpu.py",
    "../_base_/backbones/dfsa.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
backbone = dict(num_groups=2, num_blocks=2, num_features=16, reduction=4, filter_groups=4)

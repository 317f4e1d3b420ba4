_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_cpu.py",
    "../_base_/backbones/meta_sr.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 3
backbone = dict(trunk="edsr", num_features=16, num_blocks=4, hidden=64)

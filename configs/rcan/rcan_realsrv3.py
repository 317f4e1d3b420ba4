_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v3.py",
    "../_base_/backbones/rcan.py",
    "../_base_/tasks/super_resolution.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
batch_size = 2

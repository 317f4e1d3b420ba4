_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v3.py",
    "../_base_/degradations/dml.py",
    "../_base_/tasks/degradation_learning.py",
    "../_base_/schedules/adam_100k.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
degradation = dict(num_kernels=16)

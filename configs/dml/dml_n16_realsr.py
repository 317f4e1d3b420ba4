_base_ = [
    "../_base_/settings/degradation_learning.py",
    "../_base_/datasets/realsr_v2.py",
    "../_base_/degradations/dml.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
degradation = dict(num_kernels=16)

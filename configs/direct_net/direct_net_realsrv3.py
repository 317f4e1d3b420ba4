_base_ = [
    "../_base_/settings/degradation_learning.py",
    "../_base_/datasets/realsr_v3.py",
    "../_base_/degradations/direct_net.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}

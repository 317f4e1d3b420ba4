_base_ = [
    "../_base_/settings/degradation_learning_cpu.py",
    "../_base_/datasets/ntire19.py",
    "../_base_/degradations/direct_net.py",
]
scale = 4
degradation = dict(width=16, levels=2)

_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v3_crops.py",
    "../_base_/degradations/direct_net.py",
    "../_base_/tasks/degradation_learning.py",
    "../_base_/schedules/adam_4k_cpu.py",
]
scale = 4
default_hooks = dict(checkpoint=dict(interval=1000))
degradation = dict(width=16, levels=2)

_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v3.py",
    "../_base_/degradations/dml_cpu.py",
    "../_base_/tasks/degradation_learning.py",
    "../_base_/schedules/adam_4k_cpu.py",
]
scale = 4
default_hooks = dict(checkpoint=dict(interval=1000))
patch_size = 96
batch_size = 8
train_dataloader = dict(num_workers=2)

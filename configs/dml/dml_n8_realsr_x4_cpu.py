_base_ = [
    "../_base_/settings/degradation_learning_cpu.py",
    "../_base_/datasets/realsr_v2.py",
    "../_base_/degradations/dml_cpu.py",
]
scale = 4
patch_size = 96
batch_size = 8
train_dataloader = dict(num_workers=2)

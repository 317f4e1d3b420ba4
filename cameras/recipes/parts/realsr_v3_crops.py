_base_ = ["../../../configs/_base_/datasets/realsr_v3_crops.py", "dml.py"]
scale = 4
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(cache_mb=512))
val_dataloader = dict(num_workers=0)
test_dataloader = val_dataloader

# City100's postcards before an iPhone X: LR lies on the HR grid, 24 pairs to learn from, 6 to test.
_base_ = ["../../configs/_base_/datasets/city100.py", "parts/dml.py"]
scale = 4
train_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(ids="1-24", cache_mb=512)
)
val_dataloader = dict(num_workers=0, dataset=dict(ids="51-56"))
test_dataloader = val_dataloader

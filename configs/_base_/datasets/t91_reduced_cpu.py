# t91_cpu.py, validated on Set5 as the run's own degradation reduces it.
_base_ = ["hr_folders.py", "set5_reduced.py"]
patch_size = 48
batch_size = 8
hr_folders = "T91"
train_dataloader = dict(num_workers=2)

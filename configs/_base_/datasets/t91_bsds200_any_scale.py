# t91_bsds200.py for scales other than 2, 3 and 4: LR of Set5 is made, not read.
_base_ = ["hr_folders.py", "set5_any_scale.py"]
patch_size = 36
batch_size = 64
hr_folders = ["T91", "BSDS200"]

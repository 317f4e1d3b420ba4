# div2k.py for scales other than 2, 3 and 4: LR of Set5 is made, not read.
_base_ = ["hr_folders.py", "set5_any_scale.py"]
patch_size = 192
batch_size = 16
hr_folders = "DIV2K/DIV2K_train_HR"

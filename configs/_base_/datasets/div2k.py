# DIV2K's 800 training photos, to be shrunk, in patches of 48 LR pixels at x4.
_base_ = ["hr_folders.py", "set5.py"]
patch_size = 192
batch_size = 16
hr_folders = "DIV2K/DIV2K_train_HR"

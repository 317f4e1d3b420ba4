# SwinIR, classical, as compared with RCAN: DIV2K alone, patches of 48 LR pixels.
_base_ = "swinir_df2k_x2.py"
patch_size = 96
hr_folders = "DIV2K/DIV2K_train_HR"

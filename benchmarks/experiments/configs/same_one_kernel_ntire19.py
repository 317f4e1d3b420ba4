_base_ = "../../../configs/global_kernel/global_kernel_ntire19_x4.py"
train_dataloader = dict(num_workers=0)

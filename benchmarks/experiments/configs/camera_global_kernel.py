# One kernel in closed form.
_base_ = "../../../configs/global_kernel/global_kernel_realsrv3crops_x4.py"

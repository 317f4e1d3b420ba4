# DSRN: patches of 108, Adam at 1e-3. Its code cuts single elements of the gradient to 1; here the
# whole gradient is scaled so that its largest element is 1. The images shrunk by 0.5 to 1
# beforehand are missing; training set and length are not known to us.
_base_ = ["../_base_/settings/luma_291.py", "../_base_/schedules/adam_300k.py"]
scale = 2
patch_size = 108
batch_size = 32
backbone = dict(type="DSRN")
model = dict(quantise=True)
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=1.0, norm_type="inf"))

# IPT's second stage: one task, 30 epochs at 2e-5. The paper begins with the network of all tasks;
# here it is the one of x2, whose body it shares.
_base_ = "ipt_imagenet_x4.py"
__x2 = "work_dirs/ipt_imagenet_x2/backbone.safetensors"
backbone = dict(start_from=dict(checkpoint=__x2, ignore=("tail.",)))
optim_wrapper = dict(optimizer=dict(lr=2e-5))
param_scheduler = None
train_cfg = dict(max_iters=1_170_000)

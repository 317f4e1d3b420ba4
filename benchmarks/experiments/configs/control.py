# Absolute error for as many iterations as the adversarial runs.
_base_ = "l1.py"
batch_size = 4
optim_wrapper = dict(optimizer=dict(lr=1e-4, betas=(0.9, 0.99)))
param_scheduler = []

# Narrow networks, small batches and ten times the rate: minutes on a CPU.
_base_ = "kmsr_generator_x2.py"
batch_size = 32
degradation = dict(width=64)
model = dict(discriminator=dict(width=32))
optim_wrapper = dict(
    degradation_step=dict(optimizer=dict(lr=5e-4)),
    discriminator_step=dict(optimizer=dict(lr=5e-4)),
)
train_cfg = dict(max_iters=3000)

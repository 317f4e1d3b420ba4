# SRMD by KAIR's training: absolute error, batches of 64 patches of 96, 1e-4, halved every 200K of
# 1M iterations; here on DIV2K. Kernels and noise of the authors' code; LR is neither rounded nor
# clipped after the noise. The network is told both; it is validated on bicubic LR without noise.
# The paper trains with batch normalisation, merged into the convolutions afterwards.
_base_ = [
    "../_base_/settings/div2k.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
patch_size = 96
batch_size = 64
backbone = dict(type="SRMD")
model = dict(quantise=False)
degradation = dict(type="SRMD", settings="code", sigma=(0, 75))

# ZSSR for photos of a camera whose kernels are known: instead of an estimate for each photo, the
# mean kernel of a pool. Extract it from the pairs of training, and name it:
# --cfg-options backbone.kernel.pool=kernels.safetensors. Without one it is the mean of the
# synthetic pool of docs/pools.md.
_base_ = "zssr_realsrv3crops_x4.py"
backbone = dict(kernel=dict(_delete_=True, type="PoolKernel", how="mean"))

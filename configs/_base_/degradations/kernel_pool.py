# A kernel of a pool for each image (KMSR, RealSR of Ji et al.). Give the pool of your photos,
# degradation.pool=kernels.safetensors, made by realdeg extract_pools; else a stand-in is used.
degradation = dict(type="KernelPool")

# Noise patches of a pool (GCBD, RealSR of Ji et al.); degradation.pool as for kernel_pool.
degradation = dict(type="NoisePool")

# RealSR (Ji et al., CVPRW 2020): a kernel of one pool, then noise of another.
degradation = dict(type="Compose", parts=[dict(type="KernelPool"), dict(type="NoisePool")])

# What dsgan/dsgan_realsr has learned. The generator brings its own noise: none is added.
degradation = dict(checkpoint="work_dirs/dsgan_realsr_x{scale}/degradation.safetensors")

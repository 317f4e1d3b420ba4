# What dsgan/dsgan_df2k_x4 has learned. The generator brings its own noise: none is added.
degradation = dict(checkpoint="work_dirs/dsgan_df2k_x4/degradation.safetensors")

# What dsgan/dsgan_realsrv3crops_x4_cpu has learned. The generator brings its own noise: none is
# added.
degradation = dict(checkpoint="work_dirs/dsgan_realsrv3crops_x4_cpu/degradation.safetensors")

# What learned_noise/learned_noise_dml_realsrv3crops_x4_cpu has learned: DML and its noise.
degradation = dict(
    checkpoint="work_dirs/learned_noise_dml_realsrv3crops_x4_cpu/degradation.safetensors"
)

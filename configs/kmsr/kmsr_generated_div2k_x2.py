# The recipe of the paper: one half of the kernels from the pool, one half drawn by the generator of
# kmsr_generator_x2 that was trained on the pool. Set degradation.parts.0.pool to the pool.
_base_ = "kmsr_div2k_x2.py"
degradation = dict(
    type="OneOf",
    parts=[
        dict(type="KernelPool"),
        dict(checkpoint="work_dirs/kmsr_generator_x2/degradation.safetensors"),
    ],
)

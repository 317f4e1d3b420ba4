# The noise that global_kernel/global_kernel_realsrv3crops_x4 leaves; the file holds both.
_base_ = "learned_noise_dml_realsrv3crops_x4_cpu.py"
degradation = dict(
    parts=[
        dict(checkpoint="work_dirs/global_kernel_realsrv3crops_x4/degradation.safetensors"),
        dict(type="LearnedNoise"),
    ],
)

# x4 begins with the weights of x2, the tail apart.
_base_ = "edsr_t91_x4_cpu.py"
__x2 = "work_dirs/edsr_t91_x2_cpu/backbone.safetensors"
backbone = dict(start_from=dict(checkpoint=__x2, ignore=("tail.",)))

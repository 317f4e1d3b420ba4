# As mdsr_t91_multiscale_x4_cpu, by a curriculum: x2 first, then x3 and x4 as well. The stages are
# ours.
_base_ = "mdsr_t91_multiscale_x4_cpu.py"
custom_hooks = [
    dict(type="CurriculumHook", stages=[(0, [2]), (400, [2, 3]), (800, [2, 3, 4])]),
]

# From easy to hard: as edsr_t91_dn_x4_cpu, but the noise grows from 0 in the first 800 of
# 1200 iterations. Validation has the full noise throughout.
_base_ = "edsr_t91_dn_x4_cpu.py"
custom_hooks = [
    dict(type="ScheduleHook", number="degradation.sigma", points=[(0, 0), (800, 30)]),
]

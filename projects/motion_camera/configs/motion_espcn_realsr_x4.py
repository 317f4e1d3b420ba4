# HR images are set in motion and reduced on the fly; tested on the pairs of RealSR V2.
_base_ = [
    "realdeg::_base_/default_runtime.py",
    "realdeg::_base_/datasets/hr_for_realsr_v2.py",
    "realdeg::_base_/tasks/super_resolution.py",
    "realdeg::_base_/schedules/adam_100k.py",
]
custom_imports = dict(imports=["motion_camera"])
scale = 4
degradation = dict(type="MotionBlur", max_length=9.0)
backbone = dict(type="SubPixelNet", width=64)

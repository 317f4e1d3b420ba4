# DirectKPN at the schedule of camera_dml.py.
_base_ = "camera_dml.py"
degradation = dict(_delete_=True, type="DirectKPN", kernel_size=15, width=16, levels=2)

# DirectNet at the schedule of camera_dml.py.
_base_ = "camera_dml.py"
degradation = dict(_delete_=True, type="DirectNet", width=16, levels=2)

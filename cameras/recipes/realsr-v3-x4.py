# Both cameras of the centre crops of RealSR V3: 40 pairs to learn from, 10 to test.
_base_ = "parts/realsr_v3_crops.py"

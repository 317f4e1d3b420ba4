# SampleCamera at x4, learned from the images that come with the package.
_base_ = "parts/sample.py"
scale = 4

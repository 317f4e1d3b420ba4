"""The thresholds of all checks, with the reasons; docs/doctor.md shows what real sets measure.

The limits of misalignment are those of :class:`~realdeg.evaluation.AlignmentLimits`, which warn
before a training.
"""

from __future__ import annotations

# From this share of the examined images or pairs, a fault is the data set's and not an image's.
OF_THE_SET = 0.5

# Upscaled HR ---------------------------------------------------------------------------------
# Natural spectra fall by up to 8 dB over a ratio of 1.25 between frequencies (RealSR, NTIRE,
# City100, Kodak, BSDS500, T91), those of enlarged images by 13 to 28 dB.
EMPTY_FALL = 12.0
# Squared 8-bit levels as dB: rounding alone has -11 (one plane) or -14 (luma of RGB), a camera's
# noise more than 0. What lies above has detail or noise, hence no emptiness.
EMPTY_LEVEL = 3.0
# Behind a zero of the interpolation, its images rise by 6 to 16 dB; natural spectra by 3 at most.
# Regular patterns rise as well, from where there is detail.
EMPTY_RISE, ZERO_LEVEL = 5.0, 8.0
# The strongest period that both axes share against the median of all: bicubic enlargements have 10
# to 60, Lanczos' kernel 5 to 20. Where the spectrum is empty already, less is enough.
PERIOD_PEAK, PERIOD_PEAK_SAFE = 6.0, 15.0
# A smaller factor than this is no enlargement that matters.
LEAST_FACTOR = 1.1

# JPEG history --------------------------------------------------------------------------------
# The periodogram at a quantisation step: rounding to RGB leaves about 0.55 at step 2 and more at
# larger ones; all of Kodak and City100, which have no history, stay below this.
COMB, COMB_COEFFICIENTS, LEAST_STEP, LEAST_BLOCKS = 0.35, 4, 2, 200
# Below this quality blocks are visible in smooth parts at 100 %, and a network learns them.
VISIBLE_QUALITY = 85

# Frames --------------------------------------------------------------------------------------
# The share of pixels that hold nothing but black or white: 2 % at most in RealSR and NTIRE 2019. No
# image in the sets of docs/doctor.md has this much.
CLIPPED = 0.25
# 8-bit levels that count as black (all channels up to it) and white (all channels from it).
BLACK, WHITE = 2, 253
# Sharpness (dB) below the median of the set: this many robust deviations and at least so many dB,
# in pairs also of the difference to the other side: smooth scenes are so on both (a cloth in RealSR
# is 12 dB below in LR, 7 dB relative to its HR).
BLURRED_DEVIATIONS, BLURRED_DB = 4.0, 8.0
# With fewer images the set has no typical sharpness.
BLURRED_IMAGES = 8

# Pairs ---------------------------------------------------------------------------------------
# LR on the HR grid has less power than HR in this band (cycles per pixel times the scale): 2 to 10
# dB less in NTIRE 2019. If it has this much more, the sides are swapped.
SWAPPED_BAND, SWAPPED_DB = (0.24, 0.8), 1.5
# Brightness of LR over that of HR, and the same of one channel against the mean of all. Published
# sets have 0.02 in the median.
GAIN, CAST = 0.05, 0.04
# A share of regions that lie elsewhere than the fit of the pair says: parallax or movement. In
# NTIRE 2019 three of the eleven regions of a pair do, which lie along edges, and nothing moved.
ASTRAY = 1 / 3

# Copies --------------------------------------------------------------------------------------
# Bits of 64 in which perceptual hashes of copies may differ, and the least correlation of their
# thumbnails: a gain of 1.2 that clips, a reduction by 4 and JPEG 50 change up to 10 bits in the
# images of Kodak and the sample, and leave 0.92 in the worst, which is then no copy.
HASH_BITS, THUMBNAIL = 10, 0.97
# Features (ORB) that one similarity explains; 360 pairs of different scenes have up to 7 of 500.
SAME_FEATURES = 20

# Encoding ------------------------------------------------------------------------------------
# A 16-bit image that holds 8 bit has at most 256 values.
VALUES_OF_8_BIT = 256
# A colour image with channels that differ by this many 8-bit levels at most is grey.
GREY_LEVELS = 2

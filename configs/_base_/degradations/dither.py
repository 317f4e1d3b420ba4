# Few levels with ordered dithering (Bayer 1973), in the ranges of wtp_dataset_destroyer.
degradation = dict(type="Dither")

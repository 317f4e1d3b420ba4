# Key frames of H.264, HEVC, VP9, MPEG-2 and MPEG-4, in the ranges of wtp_dataset_destroyer.
degradation = dict(type="VideoCodec")

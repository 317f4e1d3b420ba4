"""Data sets of any size: where images come from, and the shards that pairs go to.

Sources list images and read their bytes, sinks write samples into the files of a shard, the plan
says which images make which shard, and records say what is done. Nothing here degrades.
"""

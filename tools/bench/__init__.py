"""`python dev.py bench`: how fast the pack is, beside what its peers do, as ratios and counts of one run.

Nothing here is timed against a clock: a figure is a ratio of two measurements taken in turns, or a count.
"""

"""The program: one folder an area."""

import gc

# Nearly all that a run makes it keeps to its end: to look for garbage at each 700 new objects, as by default, took a
# tenth of a preview.
gc.set_threshold(100_000, 50, 50)

"""`make bench`, and long runs by hand: what they measure and how is in each script."""

"""One file on its way.

The state machine that decides, its account of the bytes, what is known of the origin, how answers are judged. No I/O, no clock.
"""

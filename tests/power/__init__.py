"""Power cuts, shown on the writes themselves.

marscore run --recorder.c--> every write, sync, rename in its order --disk.py--> what a disk may hold after a cut at any of them
             --> the next run on that folder: no claim lies, every file ends right
"""

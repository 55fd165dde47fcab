"""kill -9 again and again: runs are killed at random moments and resumed until every file is in place.

    round: manifest --run--> kill --look at what was kept--> run --> kill --> ... --> complete: every byte compared

`make torture` runs it at length; tests/torture/test_torture.py runs a few kills of it.
"""

"""Decisions -> Plan: processes, threads, limits, and how a file is cut in ranges.

Not called `plan`, as the public function `marscore.plan` has that name.
"""

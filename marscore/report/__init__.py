"""The last stage: what a run's events add up to, as plain values and text.

    events --fold.ReportFold--> head.Head + entries --writers.iter_json--> report.json; ended.Ended gives both to the caller
    outcome --entry.entry_of--> a download's entry in it
    events --progress.ProgressFold--> how far the run is
    event  --record.record_of--> the fields of its log line
    schema: the JSON Schemas of the report and of the log's lines

Nothing here opens a file, asks a clock or writes a log.
"""

"""The second stage: Manifest -> Downloads (`expand`), and Downloads + the output folder -> what has to be done (`reconcile`).

Nothing is imported here: worker processes need the model alone, and pydantic takes a fifth of a second.
"""

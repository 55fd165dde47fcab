"""What other programs that watch over machines are told of a run, beside its log and report."""

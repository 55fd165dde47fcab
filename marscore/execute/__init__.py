"""Works -> events: transfers that decide, drivers that act, workers, and the supervisor of them all."""

"""Works -> events: transfers that decide, loops that act, workers, and the supervisor of them all."""

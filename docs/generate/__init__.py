"""What the documentation's site says by itself: reference pages from the models, the commands and the kinds of failure."""

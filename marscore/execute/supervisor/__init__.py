"""Where workers run: who gets which work, what workers say, and what becomes of it when one dies."""

"""Object stores as the place of finished files, through obstore: the only code that imports it."""

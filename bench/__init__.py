"""Side-by-side runs of marscore and other downloaders against one nginx on loopback; README.md says how to read them."""

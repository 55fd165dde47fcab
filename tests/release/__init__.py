"""What is built for a release: what is in it, and whether it installs and runs in bare environments. `make dist`, `make try-dist`."""

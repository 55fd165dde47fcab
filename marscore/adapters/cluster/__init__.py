"""Workers on the machines of an engine (Dask, Ray): who starts them there, what is said between them and the run, and how one is lost."""

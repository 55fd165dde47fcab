"""Small changes to the code, one after the other: does any test notice?

`make mutants` tries a sample of them, drawn with a seed; `MUTANTS=all` tries them all, `SEED` draws another sample. mutmut makes the
changes and runs the tests that reach each; what is changed, and which tests run, is said in pyproject.toml. What it leaves alone:
properties and other decorated functions, class bodies and the constants of modules.
"""

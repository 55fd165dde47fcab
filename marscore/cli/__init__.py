"""The command line: argv in, one call to the app, text and an exit code out.

    argv --options, inputs--> RunSettings + ManifestInput --engine (app)--> Report | plan | ... --show--> text;  errors --exits--> code

Importing it is cheap: what a verb needs of the rest is imported when that verb runs.
"""

"""The lock: what each file of a manifest was when it was locked, in a file beside the manifest.

    text --read_lock--> Lock --write_lock--> text        Lock + Lock --changes--> sentences

The text is JSON with one download a line, in the order of their paths, so that it merges and differs by lines. What it says of a manifest's
downloads, `resolve.locked` decides. Nothing here opens a file.
"""

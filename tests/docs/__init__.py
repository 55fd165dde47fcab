"""README and docs say what is true: their code blocks are run, against a world of servers on loopback."""

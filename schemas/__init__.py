"""JSON Schemas of what goes in and comes out, and the program that makes them from the models."""

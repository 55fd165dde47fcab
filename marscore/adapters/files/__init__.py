"""The output folder: partial files and how they are written, hashed, named and proven. Implements `ports.FileStore` and `ports.Partial`."""

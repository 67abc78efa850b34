"""Where samples come from: files, folders, pipes, brokers, sensors; each a source of numbered, timed samples."""

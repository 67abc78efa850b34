"""Every target beside every model of the zoo: what ran, how near, and what the runtime lacks."""

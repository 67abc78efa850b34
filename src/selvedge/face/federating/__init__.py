"""`selvedge federate`: a module a command, and what they share. Only simulate and serve load torch."""

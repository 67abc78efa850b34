"""What masked rounds cost in accuracy and in bytes, beside FedAvg that sends floats."""

"""What each target costs beside our own runtime: the same plan, predicting in float and int8, and learning."""

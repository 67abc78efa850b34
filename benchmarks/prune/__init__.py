"""What pruning costs in accuracy, by criterion, and in int8 behind it: on MNIST, FSDD and HAR, by seeds."""

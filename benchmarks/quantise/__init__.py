"""What int8 and w4a8 cost in accuracy: after training and in training, on MNIST, FSDD and HAR, by seeds."""

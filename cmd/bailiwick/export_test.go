package main

// Main is main, for the test binary to be the program when it is told to.
func Main() { main() }

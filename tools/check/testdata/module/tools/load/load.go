// Command load makes load.
package main

import _ "github.com/bailiwick/bailiwick/cmd/bailiwick"

func main() {}

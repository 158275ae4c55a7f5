// Command milena is Apache Kafka's system in one binary. All it does is in internal/cli.
package main

func main() {}

// Kcat drives the kcat program for package driver, which describes the protocol: it translates lines of JSON to kcat's
// arguments and input and kcat's output back. Partition and headers are arguments of kcat, so a change of either begins
// a new kcat process.
//
// KCAT names the program.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"github.com/milena-io/milena/test/compat/driver"
)

func main() {
	if len(os.Args) != 5 || os.Getenv("KCAT") == "" {
		fail(fmt.Errorf("KCAT=PROGRAM kcat produce|consume BOOTSTRAP TOPIC CODEC|GROUP"))
	}
	run := produce
	if os.Args[1] == "consume" {
		run = consume
	}
	if err := run(os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "kcat driver:", err)
	os.Exit(1)
}

// tied is a kcat that dies with its driver, so that killing the driver kills the client.
func tied(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Getenv("KCAT"), args...)
	tie(cmd)
	return cmd
}

func say(e any) {
	line, err := json.Marshal(e)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(line))
}

// argument is the -H argument of a header: without "=" the value is null.
func argument(h driver.Header) string {
	if h.Value == nil {
		return h.Key
	}
	return h.Key + "=" + string(h.Value)
}

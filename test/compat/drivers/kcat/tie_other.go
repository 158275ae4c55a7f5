//go:build !linux

package main

import "os/exec"

// tie has no kernel help here.
func tie(*exec.Cmd) {}

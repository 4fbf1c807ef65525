package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCommand prints which purser this is.
type versionCommand struct {
	Show showFlags `embed:""`
}

// Run prints it.
func (c *versionCommand) Run(p *program) error {
	about := struct {
		Version string `json:"version"`
		Commit  string `json:"commit,omitempty"`
		Go      string `json:"go"`
	}{version, commit, runtime.Version()}
	if about.Version == "" {
		about.Version = "unstamped"
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
			about.Version = info.Main.Version
		}
	}
	if c.Show.JSON {
		return printJSON(p.out, about)
	}
	text := "purser " + about.Version
	if about.Commit != "" {
		text += " (" + about.Commit + ")"
	}
	_, err := fmt.Fprintf(p.out, "%s %s\n", text, about.Go)
	return err
}

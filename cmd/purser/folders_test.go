package main

import (
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
)

// refused are names of folders that say nothing about what is in them.
var refused = []string{"pkg", "util", "utils", "common", "helpers", "models", "services", "repository", "types", "shared", "misc"}

// rooms are the folders at the top.
var rooms = []string{
	"cmd", "webhooks", "worker", "billing", "ledger", "migrations", "teams", "notify", "api", "client", "web", "internal", "docs",
	"tools", "bin", ".ci", ".git", ".github",
}

func TestFoldersAreRooms(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || path == root {
			return err
		}
		if filepath.Dir(path) == root && !slices.Contains(rooms, d.Name()) {
			t.Errorf("%s: a new folder at the top has to be argued for", d.Name())
		}
		if slices.Contains(refused, d.Name()) {
			t.Errorf("%s: a folder says what its package answers", path)
		}
		if d.Name() == ".git" || d.Name() == "bin" || d.Name() == "testdata" {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

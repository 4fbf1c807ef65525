//go:build !linux

package pgtest

// roomy is for a file system that only Linux has.
func roomy(string) bool { return false }

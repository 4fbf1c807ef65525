package pgtest

import "syscall"

// enough is room for several test binaries at once, whose clusters take about
// 300 MB each.
const enough = 2 << 30

// roomy says whether we may put a cluster there.
func roomy(dir string) bool {
	var room syscall.Statfs_t
	if err := syscall.Statfs(dir, &room); err != nil || syscall.Access(dir, 2) != nil {
		return false
	}
	return room.Bavail*uint64(room.Bsize) >= enough
}

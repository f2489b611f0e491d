//go:build !linux

package par

func adviseHuge([]byte) {}

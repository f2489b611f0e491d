//go:build race

package fitsio

// slowdown is what the race detector costs.
const slowdown = 20

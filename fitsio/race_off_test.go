//go:build !race

package fitsio

const slowdown = 1

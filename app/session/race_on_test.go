//go:build race

package session_test

// underRace: the race detector makes networks ten times slower.
const underRace = true

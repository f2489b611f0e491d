// Package machine asks the system what it runs on.
package machine

// unknownMemory is assumed where the system does not tell: any machine that runs a
// desktop has it.
const unknownMemory = 4 << 30

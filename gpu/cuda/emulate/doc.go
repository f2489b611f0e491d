package emulate

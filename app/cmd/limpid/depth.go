package main

import "github.com/go-gl/glfw/v3.4/glfw"

// withoutDepth makes windows that have no buffers for depth and stencil. Fyne draws
// in two dimensions and clears the one with every frame all the same: where GL is
// software, that took 4 ms of 14 for a bare window of 1600 × 1000 with one picture.
// It is called after the first window was made, which opens GLFW, and before one is
// shown.
func withoutDepth() {
	glfw.WindowHint(glfw.DepthBits, 0)
	glfw.WindowHint(glfw.StencilBits, 0)
}

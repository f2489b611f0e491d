package main

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"github.com/go-gl/glfw/v3.4/glfw"

	"limpid"
)

// newApp is Fyne, told that other goroutines come into the window by fyne.Do alone.
// Otherwise it finds out at every change of every object in which goroutine it is, by
// writing out a stack.
func newApp() fyne.App {
	const id = "io.limpid.Limpid"
	app.SetMetadata(fyne.AppMetadata{ID: id, Name: "Limpid", Version: limpid.Version, Migrations: map[string]bool{"fyneDo": true}})
	return app.NewWithID(id)
}

// withoutDepth makes windows that have no buffers for depth and stencil. Fyne draws
// in two dimensions and clears the one with every frame all the same: where GL is
// software, that took 4 ms of 14 for a bare window of 1600 × 1000 with one picture.
// It is called after the first window was made, which opens GLFW, and before one is
// shown. Where no display could be opened Fyne has only written so down, and GLFW panics.
func withoutDepth() (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *glfw.Error:
			err = fmt.Errorf("the display cannot be opened: %w", p)
		default:
			panic(p)
		}
	}()
	glfw.WindowHint(glfw.DepthBits, 0)
	glfw.WindowHint(glfw.StencilBits, 0)
	return nil
}

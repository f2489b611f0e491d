//go:build !cgo

// Package native calls wgpu-native; built without cgo, there are no adapters.
package native

import "errors"

// The kinds of adapters.
const (
	Discrete = iota
	Integrated
	Software
	Unknown
)

// Adapter is what a driver says of a device.
type Adapter struct {
	Name, Driver    string
	Backend         string
	Type            int
	Vendor, Device  uint32
	MaxBuffer       int64
	MaxBinding      int64
	SharedBytes     int
	OffsetAlignment int
}

// Errors of a device.
var (
	ErrInvalid = errors.New("wgpu rejected a command")
	ErrMemory  = errors.New("no memory left")
	ErrLost    = errors.New("the device is lost")

	errNoCgo = errors.New("built without cgo")
)

// Usages of buffers, and failures for drills.
const (
	Storage    = 0
	Uniform    = 0
	Staging    = 0
	FailLost   = 0
	FailMemory = 1
	FailAbort  = 2
)

// Adapters lists nothing.
func Adapters() []Adapter { return nil }

// Device cannot be opened.
type Device struct{}

// Buffer, Pipeline and Group are objects of a device.
type (
	Buffer   struct{}
	Pipeline struct{}
	Group    struct{}
)

// Open fails.
func Open(int) (*Device, error) { return nil, errNoCgo }

// What follows is never called, for Open fails.

func (Pipeline) Nil() bool                                  { return true }
func (*Device) Close()                                      {}
func (*Device) Err() error                                  { return errNoCgo }
func (*Device) ForgiveMemory()                              {}
func (*Device) Buffer(int64, uint32) (Buffer, bool)         { return Buffer{}, false }
func (*Device) FreeBuffer(Buffer)                           {}
func (*Device) Pipeline(string, int) Pipeline               { return Pipeline{} }
func (*Device) Bind(Buffer, []Buffer) (Group, bool)         { return Group{}, false }
func (*Device) FreeGroup(Group)                             {}
func (*Device) Dispatch(Pipeline, Group, uint32, [3]uint32) {}
func (*Device) Copy(Buffer, int64, Buffer, int64, int64)    {}
func (*Device) Submit()                                     {}
func (*Device) Write(Buffer, int64, []byte)                 {}
func (*Device) Push()                                       {}
func (*Device) Wait()                                       {}
func (*Device) Read([]byte, Buffer)                         {}
func (*Device) Fail(int)                                    {}

package engine

import "fmt"

// MemoryError is what Alloc returns when a device has no room. All sizes are in
// bytes.
type MemoryError struct {
	Device string // Info.Name
	Shape  Shape  // what was asked for
	Want   int64
	Left   int64 // of the budget
	Budget int64
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("engine: %s: a tensor %v needs %s, %s of the %s memory budget are left; use a smaller image, fewer chains or a larger budget",
		e.Device, e.Shape, Bytes(e.Want), Bytes(max(e.Left, 0)), Bytes(e.Budget))
}

// Bytes writes a size for people: "1.5 GB".
func Bytes(n int64) string {
	v, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if v < 1000 {
			break
		}
		v, unit = v/1000, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}

// CheckLen gives the number of bytes of a float32 tensor of shape s, or an error
// where a dimension is negative or the size does not fit in an int.
func CheckLen(s Shape) (int64, error) {
	n := int64(4)
	for _, d := range s {
		if d < 0 {
			return 0, fmt.Errorf("engine: shape %v has a negative dimension", s)
		}
		if d > 0 && n > (1<<62)/int64(d) {
			return 0, fmt.Errorf("engine: shape %v is larger than any memory", s)
		}
		n *= int64(d)
	}
	return n, nil
}

// DeviceError is what streams and Alloc report when a device itself fails: it vanished,
// its driver cannot compile a kernel. The caller did nothing wrong, and its work can go
// on on another device.
type DeviceError struct {
	Device string // Info.Name
	Err    error
}

func (e *DeviceError) Error() string { return e.Device + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *DeviceError) Unwrap() error { return e.Err }

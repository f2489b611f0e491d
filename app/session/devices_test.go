package session

import (
	"context"
	"errors"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
)

// other stands for another device than the processor.
type other struct{ engine.Device }

func TestOnDevice_Failures_OnlyTheDevicesAreRepeated(t *testing.T) {
	spare := cpu.New(cpu.Options{})
	defer spare.Close()
	main := &other{spare}
	lost := &engine.DeviceError{Device: "card", Err: errors.New("gone")}
	short := &engine.MemoryError{Device: "card"}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		cpu   engine.Device
		err   error // on the card
		tries int
		bad   bool
	}{
		{"nothing", context.Background(), spare, nil, 1, false},
		{"lost", context.Background(), spare, lost, 2, false},
		{"no memory", context.Background(), spare, short, 2, false},
		{"a mistake", context.Background(), spare, errors.New("no such file"), 1, true},
		{"lost, cancelled", stopped, spare, lost, 1, true},
		{"lost, nothing else", context.Background(), nil, lost, 1, true},
	} {
		s := NewOn(Devices{Main: main, CPU: c.cpu})
		tries := 0
		found, err := s.OnDevice(c.ctx, func(d engine.Device) error {
			tries++
			if d == engine.Device(main) {
				return c.err
			}
			return nil
		})
		s.Close()
		if tries != c.tries || (err != nil) != c.bad || len(found) != c.tries-1 {
			t.Errorf("%s: %d tries, %d findings, error %v", c.name, tries, len(found), err)
		}
		if len(found) > 0 && found[0].Code != "device.moved" {
			t.Errorf("%s: %+v", c.name, found[0])
		}
	}
}

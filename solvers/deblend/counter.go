package deblend

import "sync"

// counter tells how far work is that several goroutines do.
type counter struct {
	tell        func(done, total int)
	mu          sync.Mutex
	done, total int
}

// expect adds to what there is to do.
func (c *counter) expect(n int) { c.add(0, n) }

// step notes that one more is done.
func (c *counter) step() { c.add(1, 0) }

func (c *counter) add(done, total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.total = c.done+done, c.total+total
	if c.tell != nil {
		c.tell(c.done, c.total)
	}
}

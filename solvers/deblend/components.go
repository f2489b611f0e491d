package deblend

import "context"

func (g *group) split(_ context.Context) error { return nil }

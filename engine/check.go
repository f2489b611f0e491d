package engine

import "fmt"

// The Check functions are for devices: they panic with the shapes when a caller
// passes tensors that do not fit together, so that every device says the same.

// CheckSame asks for tensors of equal length.
func CheckSame(op string, dst *Tensor, xs ...*Tensor) {
	for _, x := range xs {
		if x.Len() != dst.Len() {
			panic(fmt.Sprintf("engine: %s: shapes %v and %v differ in length", op, dst.shape, x.shape))
		}
	}
}

// CheckRepeat asks that dst and x are of equal length and that y's divides it.
func CheckRepeat(op string, dst, x, y *Tensor) {
	CheckSame(op, dst, x)
	n, m := x.Len(), y.Len()
	if n != m && (m == 0 || n%m != 0) {
		panic(fmt.Sprintf("engine: %s: shape %v cannot be repeated to fill %v", op, y.shape, x.shape))
	}
}

// CheckSlices asks for one scalar in each of ss per leading-dimension slice of x
// and returns their number. nil scalars are passed over.
func CheckSlices(op string, x *Tensor, ss ...*Tensor) int {
	if len(x.shape) == 0 {
		panic(fmt.Sprintf("engine: %s: shape %v has no leading dimension", op, x.shape))
	}
	for _, s := range ss {
		if s != nil && s.Len() != x.shape[0] {
			panic(fmt.Sprintf("engine: %s: %v scalars for the %d slices of %v", op, s.shape, x.shape[0], x.shape))
		}
	}
	return x.shape[0]
}

// CheckPlanes asks for tensors with the same number of images, over the last two
// dimensions, and returns that number.
func CheckPlanes(op string, dst, src *Tensor) int {
	n, m := planes(op, dst.shape), planes(op, src.shape)
	if n != m {
		panic(fmt.Sprintf("engine: %s: %d images in %v, %d in %v", op, n, dst.shape, m, src.shape))
	}
	return n
}

// CheckSpectrum asks that spec has the shape RFFT2 gives for img and returns the
// number of images.
func CheckSpectrum(op string, spec, img *Tensor) int {
	n := planes(op, img.shape)
	k := len(img.shape) - 1
	if len(spec.shape) != k+2 || !spec.shape[:k].Equal(img.shape[:k]) ||
		spec.shape[k] != img.shape[k]/2+1 || spec.shape[k+1] != 2 {
		panic(fmt.Sprintf("engine: %s: spectrum %v for image %v, want %v", op, spec.shape, img.shape, img.shape.Spectrum()))
	}
	return n
}

// CheckComplex asks for complex dst and x of equal length, and a complex y whose
// length divides theirs.
func CheckComplex(op string, dst, x, y *Tensor) {
	for _, t := range []*Tensor{dst, x, y} {
		if len(t.shape) == 0 || t.shape[len(t.shape)-1] != 2 {
			panic(fmt.Sprintf("engine: %s: shape %v is not complex (…, 2)", op, t.shape))
		}
	}
	CheckRepeat(op, dst, x, y)
}

// CheckComplexScale asks for complex dst and x of equal length, and a real y with
// one number for each element of x or of a trailing part of it.
func CheckComplexScale(op string, dst, x, y *Tensor) {
	CheckComplex(op, dst, x, x)
	n, m := x.Len()/2, y.Len()
	if n != m && (m == 0 || n%m != 0) {
		panic(fmt.Sprintf("engine: %s: real shape %v cannot be repeated over complex %v", op, y.shape, x.shape))
	}
}

// CheckLeading asks that dst's length divides x's.
func CheckLeading(op string, dst, x *Tensor) {
	if dst.Len() == 0 || x.Len()%dst.Len() != 0 {
		panic(fmt.Sprintf("engine: %s: %v cannot be summed to %v", op, x.shape, dst.shape))
	}
}

func planes(op string, s Shape) int {
	if len(s) < 2 {
		panic(fmt.Sprintf("engine: %s: shape %v is not an image", op, s))
	}
	return s[:len(s)-2].Len()
}

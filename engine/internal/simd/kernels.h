// The functions of one instruction set, as seen from Go.
#include <stdint.h>

typedef struct {
	void (*fft)(const int32_t *, const float *, float *, int64_t, int, const float *, int64_t, int, float *);
	void (*rowsforward)(const int32_t *, const float *, const float *, float *, int64_t, const float *, int64_t, int, float *);
	void (*rowsbackward)(const int32_t *, const float *, const float *, float *, int64_t, int, float, float *);
	void (*loadcols)(float *, const float *, int64_t, int64_t, int, int);
	void (*storecols)(float *, const float *, int64_t, int64_t, int, int, float);
	void (*unary[12])(float *, const float *, int64_t);               // kern.Unary
	void (*grad[12])(float *, const float *, const float *, int64_t);
	void (*binary[8])(float *, const float *, const float *, int64_t); // kern.Binary
	void (*affine)(float *, const float *, float, float, int64_t);
	void (*axpy)(float *, const float *, float, int64_t);
	void (*clamp)(float *, const float *, float, float, int64_t);
	double (*dot)(const float *, const float *, int64_t);
	double (*sum)(const float *, int64_t);
	float (*maxabs)(const float *, int64_t);
	void (*addto)(double *, const float *, int64_t);
} kernels;

extern const kernels kernels_avx512, kernels_avx2, kernels_neon;

// The functions of one instruction set, as seen from Go.
#include <stdint.h>

typedef struct {
	void (*fft)(const int32_t *, const float *, float *, int64_t, int, const float *, int64_t, int, float *);
	void (*rowsforward)(const int32_t *, const float *, const float *, float *, int64_t, const float *, int64_t, int, float *);
	void (*rowsbackward)(const int32_t *, const float *, const float *, float *, int64_t, int, float, float *);
	void (*loadcols)(float *, const float *, int64_t, int64_t, int, int);
	void (*storecols)(float *, const float *, int64_t, int64_t, int, int, float);
} kernels;

extern const kernels kernels_avx512, kernels_avx2, kernels_neon;

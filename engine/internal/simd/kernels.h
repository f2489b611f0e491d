// The functions of one instruction set, as seen from Go.
#include <stdint.h>

typedef struct {
	void (*fft)(const int32_t *, const float *, float *, int64_t, int, const float *, int64_t, int, float *);
	void (*rowsforward)(const int32_t *, const float *, const float *, float *, int64_t, const float *, int64_t, int, int, float *);
	void (*rowsbackward)(const int32_t *, const float *, const float *, float *, int64_t, int, float, float *);
	void (*loadcols)(float *, const float *, int64_t, int64_t, int, int);
	void (*storecols)(float *, const float *, int64_t, int64_t, int, int, float);
	void (*unary[13])(float *, const float *, int64_t);               // kern.Unary
	void (*grad[13])(float *, const float *, const float *, int64_t);
	void (*binary[8])(float *, const float *, const float *, int64_t); // kern.Binary
	void (*affine)(float *, const float *, float, float, int64_t);
	void (*axpy)(float *, const float *, float, int64_t);
	void (*clamp)(float *, const float *, float, float, int64_t);
	double (*dot)(const float *, const float *, int64_t);
	double (*sum)(const float *, int64_t);
	float (*maxabs)(const float *, int64_t);
	void (*addto)(double *, const float *, int64_t);
	void (*randomfill)(float *, int64_t, uint64_t, uint64_t, uint64_t, int);
	void (*gemm)(float *, int64_t, const float *, const int64_t *, const float *, const int64_t *);
	void (*finish)(float *, int64_t, int64_t, int64_t, const float *, const float *, int64_t, int);
	void (*winograd)(const int64_t *, const float *, const int32_t *, const int32_t *, const float *, float *, const float *,
	                 const float *, int64_t, int64_t, float *);
	void (*wininput)(const int64_t *, const float *, const int32_t *, const int32_t *, int64_t, int64_t, float *);
	void (*winoadjoint)(const int64_t *, const float *, int64_t, int64_t, float *);
	void (*winoweights)(float *, const float *, int64_t, int64_t, int);
	void (*winogradient)(float *, const float *, int64_t, int64_t);
	void (*channelmap)(float *, const float *, const float *, const float *, int64_t, int64_t, int);
	void (*channelsums)(double *, double *, const float *, const float *, const float *, const float *, int64_t, int64_t, int);
	void (*channelback)(float *, const float *, const float *, const float *, const float *, const float *, const float *,
	                    const float *, int64_t, int64_t, int);
	void (*pixelnorm)(float *, const float *, float *, const float *, const float *, int64_t, int64_t, float, int);
	void (*pixelback)(float *, const float *, const float *, const float *, const float *, const float *, double *, double *,
	                  int64_t, int64_t, int, float *);
	void (*softmax)(float *, const float *, int64_t, int64_t);
	void (*softmaxgrad)(float *, const float *, const float *, int64_t, int64_t);
	void (*adam)(float *, float *, float *, const float *, int64_t, const float *);
	void (*depthrow)(float *, const float *, const float *, const float *, const int64_t *, int64_t, int64_t, int64_t, int64_t);
	void (*depthweights)(const float *, const float *, float *, const int64_t *, int64_t, int64_t, int64_t, int64_t);
} kernels;

extern const kernels kernels_avx512, kernels_avx2, kernels_neon;

// The tables by the index that Go knows, 0 where this build has none.
extern const kernels *const kernel_tables[3];

// Answers "n inverse reps" lines with the times of FFTW's real transforms of n×n
// floats, in seconds: two threads, measured plans.
#include <fftw3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void) {
	fftwf_init_threads();
	fftwf_plan_with_nthreads(2);
	int n, inverse, reps, last = 0;
	float *x = 0;
	fftwf_complex *y = 0;
	fftwf_plan p = 0, q = 0;
	printf("%s\n", fftwf_version);
	fflush(stdout);
	while (scanf("%d %d %d", &n, &inverse, &reps) == 3) {
		if (n != last) {
			fftwf_free(x), fftwf_free(y);
			if (p) fftwf_destroy_plan(p), fftwf_destroy_plan(q);
			x = fftwf_alloc_real((size_t)n * n);
			y = fftwf_alloc_complex((size_t)n * (n / 2 + 1));
			p = fftwf_plan_dft_r2c_2d(n, n, x, y, FFTW_MEASURE);
			q = fftwf_plan_dft_c2r_2d(n, n, y, x, FFTW_MEASURE);
			for (long i = 0; i < (long)n * n; i++) x[i] = (float)rand() / (float)RAND_MAX;
			fftwf_execute(p);
			last = n;
		}
		for (int r = 0; r < reps; r++) {
			// The inverse destroys its source, which then would grow beyond all bounds.
			if (inverse)
				for (long i = 0; i < (long)n * (n / 2 + 1); i++) y[i][0] = y[i][1] = 1e-3f;
			double t = now();
			fftwf_execute(inverse ? q : p);
			printf("%.9f ", now() - t);
		}
		printf("\n");
		fflush(stdout);
	}
	return 0;
}

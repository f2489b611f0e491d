// Prints how many billions of float32 operations per second one thread of this
// processor does with AVX2 and FMA in registers: the bound of every kernel. Then it
// answers every line on standard input with the same, measured anew.
#include <immintrin.h>
#include <stdio.h>
#include <time.h>

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void) {
	char line[64];
	float out[8];
	while (fgets(line, sizeof line, stdin)) {
		__m256 a[12], x = _mm256_set1_ps(0.999999f), y = _mm256_set1_ps(1e-7f);
		for (int i = 0; i < 12; i++) a[i] = _mm256_set1_ps((float)i);
		const long n = 2000000;
		double t = now();
		for (long k = 0; k < n; k++) {
#pragma GCC unroll 12
			for (int i = 0; i < 12; i++) a[i] = _mm256_fmadd_ps(a[i], x, y);
		}
		t = now() - t;
		for (int i = 1; i < 12; i++) a[0] = _mm256_add_ps(a[0], a[i]);
		_mm256_storeu_ps(out, a[0]);
		printf("%.9f %g\n", (double)n * 12 * 16 / t / 1e9, out[0]);
		fflush(stdout);
	}
	return 0;
}

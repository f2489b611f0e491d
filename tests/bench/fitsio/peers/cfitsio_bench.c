/* Reads an image with cfitsio several times and prints the best time.
   cc -O2 -o cfitsio_bench cfitsio_bench.c $(pkg-config --cflags --libs cfitsio)
   ./cfitsio_bench FILE REPEATS [x0 y0 x1 y1]   (section, pixels from 1, inclusive) */
#include <fitsio.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

int main(int argc, char **argv) {
	double best = 1e9, all[1000];
	int n = atoi(argv[2]);
	double sum = 0;
	for (int k = 0; k < n; k++) {
		fitsfile *f;
		int status = 0, naxis, anynul, bitpix;
		long ax[9], lo[2] = {1, 1}, inc[2] = {1, 1};
		double t = now();
		fits_open_image(&f, argv[1], READONLY, &status);
		fits_get_img_param(f, 9, &bitpix, &naxis, ax, &status);
		long hi[2] = {ax[0], ax[1]};
		if (argc > 6) {
			lo[0] = atol(argv[3]); lo[1] = atol(argv[4]);
			hi[0] = atol(argv[5]); hi[1] = atol(argv[6]);
		}
		long m = (hi[0] - lo[0] + 1) * (hi[1] - lo[1] + 1);
		float *p = malloc(m * sizeof(float)), nul = 0;
		if (argc > 6)
			fits_read_subset(f, TFLOAT, lo, hi, inc, &nul, p, &anynul, &status);
		else
			fits_read_img(f, TFLOAT, 1, m, &nul, p, &anynul, &status);
		fits_close_file(f, &status);
		t = now() - t;
		if (status) { fits_report_error(stderr, status); return 1; }
		sum = 0;
		for (long i = 0; i < m; i += 997) sum += p[i];
		free(p);
		all[k] = t;
		if (t < best) best = t;
	}
	for (int i = 1; i < n; i++)
		for (int j = i; j > 0 && all[j] < all[j - 1]; j--) {
			double s = all[j]; all[j] = all[j - 1]; all[j - 1] = s;
		}
	printf("cfitsio  %-28s best %.1f ms  median %.1f ms  (sum %g)\n", argv[1], best * 1e3, all[n / 2] * 1e3, sum);
	return 0;
}

// The table itself; TABLE is its name.
#include "kernels.h"

const kernels TABLE = {
	.fft = fft,
	.rowsforward = rowsforward,
	.rowsbackward = rowsbackward,
	.loadcols = loadcols,
	.storecols = storecols,
};

#include "kernels.h"
#include "platform.h"

const kernels *const kernel_tables[3] = {
#ifdef HAVE_X86_KERNELS
	&kernels_avx512, &kernels_avx2, 0,
#elif defined(HAVE_NEON_KERNELS)
	0, 0, &kernels_neon,
#else
	0, 0, 0,
#endif
};

#include "platform.h"
#ifdef HAVE_NEON_KERNELS
#include "vec_neon.h"
#include "fft.inc.h"
#include "elementwise.inc.h"
#include "random.inc.h"
#include "gemm.inc.h"
#include "winograd.inc.h"
#include "norm.inc.h"
#define TABLE kernels_neon
#include "table.inc.h"
#endif

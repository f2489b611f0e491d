#include "platform.h"
#ifdef HAVE_X86_KERNELS
#include "vec_avx512.h"
#include "fft.inc.h"
#include "elementwise.inc.h"
#include "random.inc.h"
#include "gemm.inc.h"
#include "winograd.inc.h"
#include "norm.inc.h"
#define TABLE kernels_avx512
#include "table.inc.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif

// Which kernels this compiler and system can build.
#if defined(__x86_64__)
// gcc for Windows keeps wide vectors on a stack that is aligned for narrow ones
// (gcc bug 54412). It is trusted where the assembler was told to use unaligned moves:
//   CGO_CFLAGS="-O2 -Wa,-muse-unaligned-vector-move -DLIMPID_UNALIGNED_MOVES"
#if !defined(_WIN32) || defined(__clang__) || defined(LIMPID_UNALIGNED_MOVES)
#define HAVE_X86_KERNELS
#endif
#elif defined(__aarch64__)
#define HAVE_NEON_KERNELS
#endif

// Before a loop over an array of vectors, so that the array stays in registers.
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

//go:build cuda

// The functions of libcuda, for a binary that starts where there is none: each jumps to
// the real one once limpid_cuda_open has found it, and says CUDA_ERROR_NO_DEVICE before
// that. A jump keeps every argument where it is, whatever the function takes.
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

static int no_driver(void) { return 100; } // CUDA_ERROR_NO_DEVICE

#define F(name) void *limpid_##name = (void *)no_driver;
#include "symbols.h"
#undef F

#if defined(__APPLE__)
#define SYM(name) "_" #name
#else
#define SYM(name) #name
#endif

#if defined(__x86_64__)
#define F(name) \
	__asm__(".text\n.globl " SYM(name) "\n" SYM(name) ":\n\tjmp *" SYM(limpid_##name) "(%rip)\n");
#elif defined(__aarch64__)
#define F(name) \
	__asm__(".text\n.globl " SYM(name) "\n" SYM(name) ":\n\tadrp x16, " SYM(limpid_##name) "\n\tldr x16, [x16, :lo12:" SYM(limpid_##name) "]\n\tbr x16\n");
#else
#error "CUDA is supported on amd64 and arm64"
#endif
#include "symbols.h"
#undef F

int limpid_cuda_open(char *message, size_t room) {
	void *lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
	if (!lib) lib = dlopen("libcuda.so", RTLD_NOW | RTLD_GLOBAL);
	if (!lib) {
		const char *why = dlerror();
		snprintf(message, room, "%s", why ? why : "");
		return 0;
	}
	void *p;
#define F(name) \
	if ((p = dlsym(lib, #name))) limpid_##name = p;
#include "symbols.h"
#undef F
	return 1;
}

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
	__asm__(".pushsection .text\n.globl " SYM(name) "\n" SYM(name) ":\n\tjmp *" SYM(limpid_##name) "(%rip)\n.popsection\n");
#elif defined(__aarch64__)
#define F(name) \
	__asm__(".pushsection .text\n.globl " SYM(name) "\n" SYM(name) ":\n\tadrp x16, " SYM(limpid_##name) "\n\tldr x16, [x16, :lo12:" SYM(limpid_##name) "]\n\tbr x16\n.popsection\n");
#else
#error "CUDA is supported on amd64 and arm64"
#endif
#include "symbols.h"
#undef F

// gorgonia.org/cu calls cuInit when the program starts and ends the program where it
// fails. Nothing is loaded then; limpid_cuda_open calls the real one.
int cuInit(unsigned flags) {
	(void)flags;
	return 0;
}

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
	int (*init)(unsigned) = (int (*)(unsigned))dlsym(lib, "cuInit");
	int err = init ? init(0) : 1;
	if (err) {
		snprintf(message, room, "libcuda is there, cuInit gives error %d", err);
		return 0;
	}
	return 1;
}

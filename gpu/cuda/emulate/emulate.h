// The kernels on the processor, for tests without a card: the threads of a group are
// coroutines that take turns at __syncthreads(). packaging/cuda.sh compiles every
// kernel with this header into a library whose functions run one group each.
#pragma once
#include <csetjmp>
#include <cstdint>
#include <ucontext.h>

#define DEVICE inline __attribute__((always_inline))
#define CALLED static
#define __shared__ static
#define KERNEL(name, count) \
	static const uint32_t kernel_threads = count; \
	static void kernel_body

namespace emulate {
struct U3 {
	uint32_t x, y, z;
};
static U3 block, grid;
static uint32_t thread;

#ifndef LIMPID_PLAIN
// Coroutines live as long as the program; ucontext only starts them, for its switches
// cost two system calls each.
static const uint32_t most = 256, stack = 64 << 10;
static ucontext_t start[most];
static char stacks[most][stack];
static jmp_buf scheduler, threads[most];
static bool done[most], born[most];
static void (*body)(void **);
static void **arguments;

static void sync() {
	if (!_setjmp(threads[thread])) _longjmp(scheduler, 1);
}

static void entry() {
	for (;;) {
		body(arguments);
		done[thread] = true;
		sync();
	}
}

static void resume() {
	if (_setjmp(scheduler)) return;
	if (born[thread]) _longjmp(threads[thread], 1);
	born[thread] = true;
	ucontext_t *c = &start[thread];
	getcontext(c);
	c->uc_stack.ss_sp = stacks[thread];
	c->uc_stack.ss_size = stack;
	makecontext(c, entry, 0);
	setcontext(c);
}

// group runs count threads: each until its next barrier, round after round.
static void group(uint32_t count, void (*f)(void **), void **args) {
	body = f;
	arguments = args;
	for (uint32_t i = 0; i < count; i++) done[i] = false;
	static bool left;
	for (left = true; left;) {
		left = false;
		for (thread = 0; thread < count; thread++) {
			if (done[thread]) continue;
			resume();
			left |= !done[thread];
		}
	}
}
#define __syncthreads() emulate::sync()
#else
static void group(uint32_t count, void (*f)(void **), void **args) {
	for (thread = 0; thread < count; thread++) f(args);
}
#endif

// call passes the arguments that args points to, as the driver does.
template <class F> struct Call;
template <class... A> struct Call<void(A...)> {
	template <unsigned... I> struct List {};
	template <unsigned N, unsigned... I> struct Count : Count<N - 1, N - 1, I...> {};
	template <unsigned... I> struct Count<0, I...> {
		static void go(void (*f)(A...), void **args) { f(*static_cast<A *>(args[I])...); }
	};
	static void go(void (*f)(A...), void **args) { Count<sizeof...(A)>::go(f, args); }
};
} // namespace emulate

#define INDICES \
	const Index wg = {emulate::block.x, emulate::block.y, emulate::block.z}; \
	const Index nwg = {emulate::grid.x, emulate::grid.y, emulate::grid.z}; \
	const uint lid = emulate::thread

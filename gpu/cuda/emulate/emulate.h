// The kernels on the processor, for tests without a card: the threads of a group are
// coroutines that take turns at __syncthreads(). packaging/cuda.sh compiles every
// kernel with this header into a library whose functions run one group each.
#pragma once
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
static const uint32_t most = 256, stack = 64 << 10;
static ucontext_t scheduler, threads[most];
static char stacks[most][stack];
static bool done[most];

static void sync() { swapcontext(&threads[thread], &scheduler); }

static void (*body)(void **);
static void **arguments;

static void entry() {
	body(arguments);
	done[thread] = true;
}

// group runs count threads: each until its next barrier, round after round.
static void group(uint32_t count, void (*f)(void **), void **args) {
	body = f;
	arguments = args;
	for (uint32_t i = 0; i < count; i++) {
		done[i] = false;
		getcontext(&threads[i]);
		threads[i].uc_stack.ss_sp = stacks[i];
		threads[i].uc_stack.ss_size = stack;
		threads[i].uc_link = &scheduler;
		makecontext(&threads[i], entry, 0);
	}
	for (bool left = true; left;) {
		left = false;
		for (thread = 0; thread < count; thread++) {
			if (done[thread]) continue;
			swapcontext(&scheduler, &threads[thread]);
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

// What follows a kernel: the function LIMPID_NAME runs all groups of a grid.
static void kernel_call(void **args) { emulate::Call<decltype(kernel_body)>::go(kernel_body, args); }

extern "C" void LIMPID_NAME(uint32_t x, uint32_t y, uint32_t z, void **args) {
	emulate::grid = {x, y, z};
	for (uint32_t k = 0; k < z; k++)
		for (uint32_t j = 0; j < y; j++)
			for (uint32_t i = 0; i < x; i++) {
				emulate::block = {i, j, k};
				emulate::group(kernel_threads, kernel_call, args);
			}
}

// A small, error-safe layer over wgpu-native for compute: see shim.c.
#ifndef LIMPID_SHIM_H
#define LIMPID_SHIM_H

#include "wgpu.h"

// lp_adapter describes an adapter.
typedef struct {
	char name[256], driver[256];
	uint32_t backend, type, vendor, device;
	uint64_t max_buffer, max_binding;
	uint32_t shared_bytes, offset_align;
} lp_adapter;

enum { LP_OK, LP_INVALID, LP_MEMORY, LP_LOST, LP_ABORT };

// lp_device is a device with its command recorder. One thread at a time.
typedef struct lp_device lp_device;

int lp_adapters(lp_adapter *out, int room);
lp_device *lp_open(int adapter, char *message, size_t room);
void lp_close(lp_device *);

// lp_error gives the kind of the first error since the device was opened, and its
// text; lp_clear_memory forgets an error of kind LP_MEMORY.
int lp_error(lp_device *, char *message, size_t room);
void lp_clear_memory(lp_device *);

WGPUBuffer lp_buffer(lp_device *, uint64_t bytes, uint32_t usage);
void lp_buffer_free(lp_device *, WGPUBuffer);
WGPUComputePipeline lp_pipeline(lp_device *, const char *wgsl, int buffers);
void *lp_bind(lp_device *, WGPUBuffer params, const WGPUBuffer *buffers, int count);
void lp_bind_free(lp_device *, void *group);

// Recording. Work is done at lp_submit.
void lp_dispatch(lp_device *, WGPUComputePipeline, void *group, uint32_t offset, uint32_t x, uint32_t y, uint32_t z);
void lp_copy(lp_device *, WGPUBuffer dst, uint64_t at, WGPUBuffer src, uint64_t from, uint64_t bytes);
void lp_submit(lp_device *);
// lp_write comes before everything that is submitted after it.
void lp_write(lp_device *, WGPUBuffer dst, uint64_t at, const void *data, size_t bytes);
// lp_push starts what lp_write left.
void lp_push(lp_device *);
void lp_wait(lp_device *);
void lp_read(lp_device *, WGPUBuffer staging, void *dst, size_t bytes);

// lp_fail makes a failure of the given kind happen, for drills.
void lp_fail(lp_device *, int kind);

#endif

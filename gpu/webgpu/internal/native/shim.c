// A small layer over wgpu-native for compute.
//
// wgpu reports a failure in one of four ways: through the device's error callback,
// through the device-lost callback, as a status, or, where its authors saw no way
// on, by a Rust panic that ends in abort(). None may end the program, which holds a
// user's work. The callbacks keep the first failure in the device; calls during which
// a panic could happen run under a guard that leaves them when SIGABRT comes, after
// which the device is never touched again (what it holds is lost until the program
// ends). Everything recorded after a failure is dropped.
#include "shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <time.h>
#else
#include <windows.h>
#endif

struct lp_device {
	WGPUInstance instance;
	WGPUDevice device;
	WGPUQueue queue;
	WGPUBindGroupLayout layouts[9];
	WGPUPipelineLayout plans[9];
	WGPUCommandEncoder encoder;
	WGPUComputePassEncoder pass;
	WGPUComputePipeline current;
	volatile int kind; // the first failure
	char message[1024];
	volatile int mapped;
};

static void keep(lp_device *d, int kind, const char *message) {
	if (d->kind == LP_OK || (d->kind == LP_MEMORY && kind != LP_MEMORY)) {
		snprintf(d->message, sizeof d->message, "%s", message ? message : "");
		__sync_synchronize();
		d->kind = kind;
	}
}

static void on_error(uint32_t type, const char *message, void *user) {
	int kind = LP_INVALID;
	// This version reports a lack of memory as an error of validation.
	if (type == WGPUError_OutOfMemory || (message && strstr(message, "Not enough memory"))) kind = LP_MEMORY;
	if (type == WGPUError_DeviceLost || (message && strstr(message, "is lost"))) kind = LP_LOST;
	keep(user, kind, message);
}

static void on_lost(uint32_t reason, const char *message, void *user) {
	(void)reason;
	keep(user, LP_LOST, message && *message ? message : "the device was lost");
}

#ifndef _WIN32
// The guard. GUARD(d) { calls } runs calls; if they abort, the device is marked. The
// handler that was there before gets every other SIGABRT.
static __thread sigjmp_buf *guard;
static struct sigaction before;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void aborted(int sig, siginfo_t *info, void *context) {
	if (guard) {
		sigjmp_buf *g = guard;
		guard = NULL;
		siglongjmp(*g, 1);
	}
	if (before.sa_flags & SA_SIGINFO && before.sa_sigaction) {
		before.sa_sigaction(sig, info, context);
	} else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(sig);
	}
}

static void install(void) {
	struct sigaction a;
	memset(&a, 0, sizeof a);
	a.sa_sigaction = aborted;
	a.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	sigemptyset(&a.sa_mask);
	sigaction(SIGABRT, &a, &before);
}

#define GUARD(d) \
	sigjmp_buf here; \
	pthread_once(&once, install); \
	if (sigsetjmp(here, 0)) { \
		keep(d, LP_ABORT, "the graphics driver's library gave up"); \
		d->kind = LP_ABORT; \
	} else
#define ENTER guard = &here
#define LEAVE guard = NULL
#else
#define GUARD(d)
#define ENTER
#define LEAVE
#endif

#define DEAD(d) ((d)->kind != LP_OK && (d)->kind != LP_MEMORY)

static void quiet(uint32_t level, const char *message, void *user) {
	(void)level, (void)message, (void)user;
}

static WGPUInstance instance(void) {
	WGPUInstanceExtras e;
#ifndef _WIN32
	// Mesa's layer that orders devices by the screen they drive complains on the
	// error output where there is no session.
	if (!getenv("XDG_RUNTIME_DIR")) setenv("NODEVICE_SELECT", "1", 0);
#endif
	memset(&e, 0, sizeof e);
	e.chain.type = WGPUSType_InstanceExtras;
	e.backends = WGPUBackends_Primary;
	const WGPUChain *next = &e.chain;
	wgpuSetLogCallback(quiet, NULL);
	wgpuSetLogLevel(0);
	return wgpuCreateInstance(&next);
}

static size_t list(WGPUInstance in, WGPUAdapter **out) {
	size_t n = wgpuInstanceEnumerateAdapters(in, NULL, NULL);
	*out = calloc(n + 1, sizeof **out);
	return n ? wgpuInstanceEnumerateAdapters(in, NULL, *out) : 0;
}

static void limits_of(WGPUAdapter a, WGPULimits *l) {
	WGPUChainedLimits c;
	memset(&c, 0, sizeof c);
	wgpuAdapterGetLimits(a, &c);
	*l = c.limits;
}

int lp_adapters(lp_adapter *out, int room) {
	static lp_device probe;
	volatile int found = 0;
	probe.kind = LP_OK;
	GUARD((&probe)) {
		ENTER;
		WGPUInstance in = instance();
		WGPUAdapter *all;
		size_t n = list(in, &all);
		for (size_t i = 0; i < n; i++) {
			if (found < room) {
				lp_adapter *o = &out[found];
				WGPUAdapterInfo info;
				WGPULimits l;
				memset(&info, 0, sizeof info);
				wgpuAdapterGetInfo(all[i], &info);
				limits_of(all[i], &l);
				snprintf(o->name, sizeof o->name, "%s", info.device ? info.device : "");
				snprintf(o->driver, sizeof o->driver, "%s", info.description ? info.description : "");
				o->backend = info.backend;
				o->type = info.adapterType;
				o->vendor = info.vendorID;
				o->device = info.deviceID;
				o->max_buffer = l.maxBufferSize;
				o->max_binding = l.maxStorageBufferBindingSize;
				o->shared_bytes = l.maxComputeWorkgroupStorageSize;
				o->offset_align = l.minUniformBufferOffsetAlignment;
				found++;
				wgpuAdapterInfoFreeMembers(info);
			}
			wgpuAdapterRelease(all[i]);
		}
		free(all);
		wgpuInstanceRelease(in);
		LEAVE;
	}
	return found;
}

typedef struct {
	WGPUDevice device;
	char message[512];
} request;

static void on_device(uint32_t status, WGPUDevice device, const char *message, void *user) {
	request *r = user;
	r->device = status == 0 ? device : NULL;
	snprintf(r->message, sizeof r->message, "%s", message ? message : "");
}

static void layouts(lp_device *d) {
	for (int n = 1; n < 9; n++) {
		WGPUBindGroupLayoutEntry e[9];
		memset(e, 0, sizeof e);
		for (int i = 0; i <= n; i++) {
			e[i].binding = i;
			e[i].visibility = WGPUStage_Compute;
			e[i].buffer.type = i ? WGPUBinding_Storage : WGPUBinding_Uniform;
			e[i].buffer.dynamic = i == 0;
		}
		WGPUBindGroupLayoutDescriptor g = {NULL, NULL, n + 1, e};
		d->layouts[n] = wgpuDeviceCreateBindGroupLayout(d->device, &g);
		WGPUPipelineLayoutDescriptor p = {NULL, NULL, 1, &d->layouts[n]};
		d->plans[n] = wgpuDeviceCreatePipelineLayout(d->device, &p);
	}
}

lp_device *lp_open(int adapter, char *message, size_t room) {
	lp_device *d = calloc(1, sizeof *d);
	GUARD(d) {
		ENTER;
		d->instance = instance();
		WGPUAdapter *all;
		size_t n = list(d->instance, &all);
		if (adapter >= 0 && (size_t)adapter < n) {
			WGPUChainedLimits want;
			memset(&want, 0, sizeof want);
			limits_of(all[adapter], &want.limits);
			WGPUDeviceDescriptor desc;
			memset(&desc, 0, sizeof desc);
			desc.limits = &want;
			desc.lost = on_lost;
			desc.lostUser = d;
			desc.error = on_error;
			desc.errorUser = d;
			request r = {NULL, ""};
			wgpuAdapterRequestDevice(all[adapter], &desc, on_device, &r);
			d->device = r.device;
			if (!d->device) keep(d, LP_INVALID, r.message);
		} else {
			keep(d, LP_INVALID, "no such adapter");
		}
		for (size_t i = 0; i < n; i++) wgpuAdapterRelease(all[i]);
		free(all);
		if (d->device) {
			d->queue = wgpuDeviceGetQueue(d->device);
			layouts(d);
		}
		LEAVE;
	}
	if (!d->device || d->kind != LP_OK) {
		snprintf(message, room, "%s", d->message);
		if (d->kind != LP_ABORT) free(d); // or a callback may still come
		return NULL;
	}
	return d;
}

void lp_close(lp_device *d) {
	if (d->kind == LP_ABORT) return; // its locks may be held for ever
	GUARD(d) {
		ENTER;
		if (d->pass) wgpuComputePassEncoderEnd(d->pass), wgpuComputePassEncoderRelease(d->pass);
		if (d->encoder) wgpuCommandEncoderRelease(d->encoder);
		for (int n = 1; n < 9; n++) wgpuBindGroupLayoutRelease(d->layouts[n]), wgpuPipelineLayoutRelease(d->plans[n]);
		wgpuQueueRelease(d->queue);
		wgpuDeviceRelease(d->device);
		wgpuInstanceRelease(d->instance);
		LEAVE;
	}
	// d stays: the lost callback of a released device may still use it.
}

int lp_error(lp_device *d, char *message, size_t room) {
	int kind = d->kind;
	__sync_synchronize();
	if (kind != LP_OK) snprintf(message, room, "%s", d->message);
	return kind;
}

void lp_clear_memory(lp_device *d) {
	if (d->kind == LP_MEMORY) d->kind = LP_OK;
}

WGPUBuffer lp_buffer(lp_device *d, uint64_t bytes, uint32_t usage) {
	WGPUBuffer volatile b = NULL;
	if (DEAD(d)) return NULL;
	GUARD(d) {
		ENTER;
		int kind = d->kind;
		WGPUBufferDescriptor desc = {NULL, NULL, usage, bytes, 0};
		b = wgpuDeviceCreateBuffer(d->device, &desc);
		if (d->kind != kind && b) {
			wgpuBufferRelease(b);
			b = NULL;
		}
		LEAVE;
	}
	return b;
}

void lp_buffer_free(lp_device *d, WGPUBuffer b) {
	if (d->kind == LP_ABORT) return;
	GUARD(d) {
		ENTER;
		wgpuBufferRelease(b);
		LEAVE;
	}
}

WGPUComputePipeline lp_pipeline(lp_device *d, const char *wgsl, int buffers) {
	WGPUComputePipeline volatile p = NULL;
	if (DEAD(d)) return NULL;
	GUARD(d) {
		ENTER;
		WGPUShaderModuleWGSLDescriptor code = {{NULL, WGPUSType_WGSL, 0}, wgsl};
		WGPUShaderModuleDescriptor sd = {&code, NULL, 0, NULL};
		WGPUShaderModule m = wgpuDeviceCreateShaderModule(d->device, &sd);
		if (m && !DEAD(d)) {
			WGPUComputePipelineDescriptor pd;
			memset(&pd, 0, sizeof pd);
			pd.layout = d->plans[buffers];
			pd.compute.module = m;
			pd.compute.entryPoint = "main";
			p = wgpuDeviceCreateComputePipeline(d->device, &pd);
		}
		if (m) wgpuShaderModuleRelease(m);
		LEAVE;
	}
	return DEAD(d) ? NULL : p;
}

void *lp_bind(lp_device *d, WGPUBuffer params, const WGPUBuffer *buffers, int count) {
	WGPUBindGroup volatile g = NULL;
	if (DEAD(d)) return NULL;
	GUARD(d) {
		ENTER;
		WGPUBindGroupEntry e[9];
		memset(e, 0, sizeof e);
		e[0].buffer = params;
		e[0].size = 256;
		for (int i = 0; i < count; i++) {
			e[i + 1].binding = i + 1;
			e[i + 1].buffer = buffers[i];
			e[i + 1].size = UINT64_MAX;
		}
		WGPUBindGroupDescriptor desc = {NULL, NULL, d->layouts[count], count + 1, e};
		g = wgpuDeviceCreateBindGroup(d->device, &desc);
		LEAVE;
	}
	return DEAD(d) ? NULL : g;
}

void lp_bind_free(lp_device *d, void *group) {
	if (d->kind == LP_ABORT) return;
	GUARD(d) {
		ENTER;
		wgpuBindGroupRelease(group);
		LEAVE;
	}
}

static void end_pass(lp_device *d) {
	if (!d->pass) return;
	wgpuComputePassEncoderEnd(d->pass);
	wgpuComputePassEncoderRelease(d->pass);
	d->pass = NULL;
	d->current = NULL;
}

static void begin(lp_device *d) {
	if (!d->encoder) {
		WGPUPassDescriptor desc = {NULL, NULL, NULL};
		d->encoder = wgpuDeviceCreateCommandEncoder(d->device, &desc);
	}
}

void lp_dispatch(lp_device *d, WGPUComputePipeline p, void *group, uint32_t offset, uint32_t x, uint32_t y, uint32_t z) {
	if (DEAD(d)) return;
	GUARD(d) {
		ENTER;
		begin(d);
		if (!d->pass) {
			WGPUPassDescriptor desc = {NULL, NULL, NULL};
			d->pass = wgpuCommandEncoderBeginComputePass(d->encoder, &desc);
		}
		if (d->current != p) {
			wgpuComputePassEncoderSetPipeline(d->pass, p);
			d->current = p;
		}
		wgpuComputePassEncoderSetBindGroup(d->pass, 0, group, 1, &offset);
		wgpuComputePassEncoderDispatchWorkgroups(d->pass, x, y, z);
		LEAVE;
	}
}

void lp_copy(lp_device *d, WGPUBuffer dst, uint64_t at, WGPUBuffer src, uint64_t from, uint64_t bytes) {
	if (DEAD(d)) return;
	GUARD(d) {
		ENTER;
		end_pass(d);
		begin(d);
		wgpuCommandEncoderCopyBufferToBuffer(d->encoder, src, from, dst, at, bytes);
		LEAVE;
	}
}

void lp_submit(lp_device *d) {
	if (DEAD(d) || !d->encoder) return;
	GUARD(d) {
		ENTER;
		end_pass(d);
		WGPUCommandBuffer c = NULL;
		if (!DEAD(d)) {
			WGPUPassDescriptor desc = {NULL, NULL, NULL};
			c = wgpuCommandEncoderFinish(d->encoder, &desc);
		}
		wgpuCommandEncoderRelease(d->encoder);
		d->encoder = NULL;
		if (c && !DEAD(d)) wgpuQueueSubmitForIndex(d->queue, 1, &c);
		if (c) wgpuCommandBufferRelease(c);
		LEAVE;
	}
}

void lp_write(lp_device *d, WGPUBuffer dst, uint64_t at, const void *data, size_t bytes) {
	if (DEAD(d)) return;
	GUARD(d) {
		ENTER;
		wgpuQueueWriteBuffer(d->queue, dst, at, data, bytes);
		LEAVE;
	}
}

void lp_push(lp_device *d) {
	if (DEAD(d)) return;
	GUARD(d) {
		ENTER;
		wgpuQueueSubmitForIndex(d->queue, 0, NULL);
		LEAVE;
	}
}

// nap lets time pass between two looks at the device: a few microseconds at first.
static void nap(unsigned *round) {
#ifdef _WIN32
	Sleep(*round > 20);
#else
	struct timespec t = {0, 1000L << (*round < 9 ? *round : 9)};
	nanosleep(&t, NULL);
#endif
	++*round;
}

// Waiting is asking again and again. wgpu's own way to wait gives up after five seconds
// and then frees, or shows, what the device is still working on.
void lp_wait(lp_device *d) {
	if (DEAD(d)) return;
	GUARD(d) {
		ENTER;
		unsigned round = 0;
		while (!wgpuDevicePoll(d->device, 0, NULL) && !DEAD(d)) nap(&round);
		LEAVE;
	}
}

static void on_mapped(uint32_t status, void *user) {
	lp_device *d = user;
	if (status == 3) keep(d, LP_LOST, "the device was lost while a result was read");
	d->mapped = status == 0 ? 1 : -1;
}

void lp_read(lp_device *d, WGPUBuffer staging, void *dst, size_t bytes) {
	if (DEAD(d)) return;
	GUARD(d) {
		ENTER;
		d->mapped = 0;
		wgpuBufferMapAsync(staging, 1, 0, bytes, on_mapped, d);
		unsigned round = 0;
		while (!d->mapped && !DEAD(d)) {
			wgpuDevicePoll(d->device, 0, NULL);
			if (!d->mapped) nap(&round);
		}
		if (d->mapped == 1 && !DEAD(d)) {
			const void *p = wgpuBufferGetConstMappedRange(staging, 0, bytes);
			if (p) memcpy(dst, p, bytes);
			else keep(d, LP_INVALID, "a result could not be mapped");
			wgpuBufferUnmap(staging);
		} else {
			keep(d, LP_INVALID, "a result could not be read");
		}
		LEAVE;
	}
}

void lp_fail(lp_device *d, int how) {
	GUARD(d) {
		ENTER;
		if (how == LP_ABORT) abort();
		if (how == LP_LOST) {
			wgpuDeviceDestroy(d->device);
			on_lost(1, "the adapter vanished (simulated)", d);
		}
		if (how == LP_MEMORY) on_error(WGPUError_OutOfMemory, "Not enough memory left (simulated)", d);
		LEAVE;
	}
}

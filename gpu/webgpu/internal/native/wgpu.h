// What Limpid calls of wgpu-native 22.1: its C interface, written down here because
// the header inside the Go module that carries the libraries cannot be included from
// another package. abi_test.go compiles this against that header and compares every
// size and offset.
#ifndef LIMPID_WGPU_H
#define LIMPID_WGPU_H

#include <stddef.h>
#include <stdint.h>

typedef struct WGPUInstanceImpl *WGPUInstance;
typedef struct WGPUAdapterImpl *WGPUAdapter;
typedef struct WGPUDeviceImpl *WGPUDevice;
typedef struct WGPUQueueImpl *WGPUQueue;
typedef struct WGPUBufferImpl *WGPUBuffer;
typedef struct WGPUShaderModuleImpl *WGPUShaderModule;
typedef struct WGPUBindGroupLayoutImpl *WGPUBindGroupLayout;
typedef struct WGPUBindGroupImpl *WGPUBindGroup;
typedef struct WGPUPipelineLayoutImpl *WGPUPipelineLayout;
typedef struct WGPUComputePipelineImpl *WGPUComputePipeline;
typedef struct WGPUCommandEncoderImpl *WGPUCommandEncoder;
typedef struct WGPUComputePassEncoderImpl *WGPUComputePassEncoder;
typedef struct WGPUCommandBufferImpl *WGPUCommandBuffer;

typedef struct {
	const void *next;
	uint32_t type, pad;
} WGPUChain;

typedef struct {
	const void *next;
	const char *vendor, *architecture, *device, *description;
	uint32_t backend, adapterType, vendorID, deviceID;
} WGPUAdapterInfo;

typedef struct {
	uint32_t maxTexture[4], maxBindGroups, maxBindGroupsPlusVertexBuffers, maxBindingsPerBindGroup;
	uint32_t maxDynamicUniformBuffers, maxDynamicStorageBuffers, maxSampledTextures, maxSamplers;
	uint32_t maxStorageBuffers, maxStorageTextures, maxUniformBuffers;
	uint64_t maxUniformBufferBindingSize, maxStorageBufferBindingSize;
	uint32_t minUniformBufferOffsetAlignment, minStorageBufferOffsetAlignment, maxVertexBuffers;
	uint64_t maxBufferSize;
	uint32_t maxVertexAttributes, maxVertexBufferArrayStride, maxInterStageShaderComponents, maxInterStageShaderVariables;
	uint32_t maxColorAttachments, maxColorAttachmentBytesPerSample;
	uint32_t maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSize[3], maxComputeWorkgroupsPerDimension;
} WGPULimits;

typedef struct {
	const void *next;
	WGPULimits limits;
} WGPUChainedLimits; // WGPUSupportedLimits and WGPURequiredLimits

typedef void (*WGPUErrorCallback)(uint32_t type, const char *message, void *user);
typedef void (*WGPUDeviceLostCallback)(uint32_t reason, const char *message, void *user);
typedef void (*WGPURequestDeviceCallback)(uint32_t status, WGPUDevice device, const char *message, void *user);
typedef void (*WGPUMapCallback)(uint32_t status, void *user);

typedef struct {
	const void *next;
	const char *label;
	size_t featureCount;
	const uint32_t *features;
	const WGPUChainedLimits *limits;
	const void *queueNext;
	const char *queueLabel;
	WGPUDeviceLostCallback lost;
	void *lostUser;
	const void *errorNext;
	WGPUErrorCallback error;
	void *errorUser;
} WGPUDeviceDescriptor;

typedef struct {
	const void *next;
	const char *label;
	uint32_t usage;
	uint64_t size;
	uint32_t mapped;
} WGPUBufferDescriptor;

typedef struct {
	const void *next;
	uint32_t binding, visibility;
	struct {
		const void *next;
		uint32_t type, dynamic;
		uint64_t minSize;
	} buffer;
	struct {
		const void *next;
		uint32_t type;
	} sampler;
	struct {
		const void *next;
		uint32_t type, dimension, multisampled;
	} texture;
	struct {
		const void *next;
		uint32_t access, format, dimension;
	} storageTexture;
} WGPUBindGroupLayoutEntry;

typedef struct {
	const void *next;
	const char *label;
	size_t count;
	const WGPUBindGroupLayoutEntry *entries;
} WGPUBindGroupLayoutDescriptor;

typedef struct {
	const void *next;
	uint32_t binding;
	WGPUBuffer buffer;
	uint64_t offset, size;
	const void *sampler, *textureView;
} WGPUBindGroupEntry;

typedef struct {
	const void *next;
	const char *label;
	WGPUBindGroupLayout layout;
	size_t count;
	const WGPUBindGroupEntry *entries;
} WGPUBindGroupDescriptor;

typedef struct {
	const void *next;
	const char *label;
	size_t count;
	const WGPUBindGroupLayout *layouts;
} WGPUPipelineLayoutDescriptor;

typedef struct {
	const void *next;
	const char *label;
	size_t hintCount;
	const void *hints;
} WGPUShaderModuleDescriptor;

typedef struct {
	WGPUChain chain;
	const char *code;
} WGPUShaderModuleWGSLDescriptor;

typedef struct {
	const void *next;
	const char *label;
	WGPUPipelineLayout layout;
	struct {
		const void *next;
		WGPUShaderModule module;
		const char *entryPoint;
		size_t constantCount;
		const void *constants;
	} compute;
} WGPUComputePipelineDescriptor;

typedef struct {
	const void *next;
	const char *label;
	const void *timestamps;
} WGPUPassDescriptor; // command encoders use the first two

typedef struct {
	WGPUChain chain;
	uint32_t backends, flags, dx12ShaderCompiler, gles3MinorVersion;
	const char *dxilPath, *dxcPath;
} WGPUInstanceExtras;

enum {
	WGPUSType_WGSL = 6,
	WGPUSType_InstanceExtras = 0x00030006,
	WGPUUsage_MapRead = 1,
	WGPUUsage_CopySrc = 4,
	WGPUUsage_CopyDst = 8,
	WGPUUsage_Uniform = 0x40,
	WGPUUsage_Storage = 0x80,
	WGPUBinding_Uniform = 1,
	WGPUBinding_Storage = 2,
	WGPUStage_Compute = 4,
	WGPUBackends_Primary = 1 | 4 | 8, // Vulkan, Metal, DX12
	WGPUError_OutOfMemory = 2,
	WGPUError_DeviceLost = 5,
};

WGPUInstance wgpuCreateInstance(const WGPUChain *const *descriptor);
size_t wgpuInstanceEnumerateAdapters(WGPUInstance, const void *options, WGPUAdapter *adapters);
void wgpuInstanceRelease(WGPUInstance);
void wgpuAdapterGetInfo(WGPUAdapter, WGPUAdapterInfo *);
void wgpuAdapterInfoFreeMembers(WGPUAdapterInfo);
uint32_t wgpuAdapterGetLimits(WGPUAdapter, WGPUChainedLimits *);
void wgpuAdapterRequestDevice(WGPUAdapter, const WGPUDeviceDescriptor *, WGPURequestDeviceCallback, void *user);
void wgpuAdapterRelease(WGPUAdapter);
WGPUQueue wgpuDeviceGetQueue(WGPUDevice);
WGPUShaderModule wgpuDeviceCreateShaderModule(WGPUDevice, const WGPUShaderModuleDescriptor *);
WGPUBindGroupLayout wgpuDeviceCreateBindGroupLayout(WGPUDevice, const WGPUBindGroupLayoutDescriptor *);
WGPUPipelineLayout wgpuDeviceCreatePipelineLayout(WGPUDevice, const WGPUPipelineLayoutDescriptor *);
WGPUComputePipeline wgpuDeviceCreateComputePipeline(WGPUDevice, const WGPUComputePipelineDescriptor *);
WGPUBindGroup wgpuDeviceCreateBindGroup(WGPUDevice, const WGPUBindGroupDescriptor *);
WGPUBuffer wgpuDeviceCreateBuffer(WGPUDevice, const WGPUBufferDescriptor *);
WGPUCommandEncoder wgpuDeviceCreateCommandEncoder(WGPUDevice, const WGPUPassDescriptor *);
uint32_t wgpuDevicePoll(WGPUDevice, uint32_t wait, const void *index);
void wgpuDeviceDestroy(WGPUDevice);
void wgpuDeviceRelease(WGPUDevice);
void wgpuQueueWriteBuffer(WGPUQueue, WGPUBuffer, uint64_t offset, const void *data, size_t size);
uint64_t wgpuQueueSubmitForIndex(WGPUQueue, size_t count, const WGPUCommandBuffer *);
void wgpuQueueRelease(WGPUQueue);
void wgpuBufferMapAsync(WGPUBuffer, uint32_t mode, size_t offset, size_t size, WGPUMapCallback, void *user);
const void *wgpuBufferGetConstMappedRange(WGPUBuffer, size_t offset, size_t size);
void wgpuBufferUnmap(WGPUBuffer);
void wgpuBufferDestroy(WGPUBuffer);
void wgpuBufferRelease(WGPUBuffer);
void wgpuBindGroupRelease(WGPUBindGroup);
void wgpuBindGroupLayoutRelease(WGPUBindGroupLayout);
void wgpuPipelineLayoutRelease(WGPUPipelineLayout);
void wgpuShaderModuleRelease(WGPUShaderModule);
void wgpuComputePipelineRelease(WGPUComputePipeline);
WGPUComputePassEncoder wgpuCommandEncoderBeginComputePass(WGPUCommandEncoder, const WGPUPassDescriptor *);
void wgpuCommandEncoderCopyBufferToBuffer(WGPUCommandEncoder, WGPUBuffer src, uint64_t srcOffset, WGPUBuffer dst, uint64_t dstOffset, uint64_t size);
WGPUCommandBuffer wgpuCommandEncoderFinish(WGPUCommandEncoder, const WGPUPassDescriptor *);
void wgpuCommandEncoderRelease(WGPUCommandEncoder);
void wgpuCommandBufferRelease(WGPUCommandBuffer);
void wgpuComputePassEncoderSetPipeline(WGPUComputePassEncoder, WGPUComputePipeline);
void wgpuComputePassEncoderSetBindGroup(WGPUComputePassEncoder, uint32_t index, WGPUBindGroup, size_t count, const uint32_t *offsets);
void wgpuComputePassEncoderDispatchWorkgroups(WGPUComputePassEncoder, uint32_t x, uint32_t y, uint32_t z);
void wgpuComputePassEncoderEnd(WGPUComputePassEncoder);
void wgpuComputePassEncoderRelease(WGPUComputePassEncoder);
void wgpuSetLogLevel(uint32_t);
void wgpuSetLogCallback(void (*)(uint32_t, const char *, void *), void *);

#endif

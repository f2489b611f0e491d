#!/bin/sh
# What CUDA needs, without a toolkit and without a card.
# usage: cuda.sh deps      cuda.h (from NVIDIA's runtime wheel, unless a toolkit is there)
#                          and an empty libcuda to link with, in build/cuda
#        cuda.sh ptx       kernels to PTX (clang), with digests
#        cuda.sh assemble  PTX for sm_70, sm_80, sm_90 (ptxas)
#        cuda.sh emulate   kernels as a library for the processor, for tests
set -eu
export LC_ALL=C # the order of files in digests
cd "$(dirname "$0")/.."
dir=gpu/cuda
out=build/cuda
runtime=12.9.79 # nvidia-cuda-runtime-cu12
nvcc=12.9.86    # nvidia-cuda-nvcc-cu12
clang=${CLANG:-clang-16}

variants() { grep -v '^#' $dir/variants.txt; }

wheel() { # package version: unpacked into $out/$1
	[ -d "$out/$1" ] && return
	python=$(command -v python3) || { echo "python3 with pip is needed once, to fetch $1; or install NVIDIA's toolkit" >&2; exit 1; }
	mkdir -p "$out"
	"$python" -m pip download -q --no-deps -d "$out/wheels" "$1==$2"
	"$python" -m zipfile -e "$out"/wheels/$(echo "$1" | tr - _)-*.whl "$out/$1"
}

case ${1:-} in
deps)
	mkdir -p $out/lib $out/include
	if [ -f "${CUDA_PATH:-/usr/local/cuda}/include/cuda.h" ]; then
		cp "${CUDA_PATH:-/usr/local/cuda}/include/cuda.h" $out/include/
	else
		wheel nvidia-cuda-runtime-cu12 $runtime
		cp $out/nvidia-cuda-runtime-cu12/nvidia/cuda_runtime/include/cuda.h $out/include/
	fi
	# The symbols are in gpu/cuda/internal/driver; -lcuda wants a file.
	printf '' >$out/empty.c
	cc -c -o $out/empty.o $out/empty.c
	ar rcs $out/lib/libcuda.a $out/empty.o
	;;
ptx)
	mkdir -p $dir/ptx
	rm -f $dir/ptx/*
	variants | while read -r name source defs; do
		arch=sm_70
		case $source in *_sm80) arch=sm_80 ;; esac
		# shellcheck disable=SC2086
		$clang -x cuda --cuda-device-only --cuda-gpu-arch=$arch -nocudainc -nocudalib -S -O3 -std=c++17 \
			-Xclang -target-feature -Xclang +ptx70 $defs -o $dir/ptx/$name.ptx $dir/kernels/$source.cu
	done
	(cd $dir && cat kernels/*.cu kernels/*.cuh variants.txt | sha256sum | cut -d' ' -f1 >ptx/SOURCES.sha256)
	(cd $dir/ptx && sha256sum ./*.ptx >PTX.sha256)
	;;
assemble)
	ptxas=$(command -v ptxas || true)
	if [ -z "$ptxas" ]; then
		wheel nvidia-cuda-nvcc-cu12 $nvcc
		ptxas=$out/nvidia-cuda-nvcc-cu12/nvidia/cuda_nvcc/bin/ptxas
		chmod +x $ptxas
	fi
	for f in $dir/ptx/*.ptx; do
		for arch in sm_70 sm_80 sm_90; do
			grep -q 'target sm_80' "$f" && [ $arch = sm_70 ] && continue
			$ptxas -arch=$arch -o /dev/null "$f"
		done
	done
	echo "$(ls $dir/ptx/*.ptx | wc -l) files assemble for sm_70, sm_80, sm_90"
	;;
emulate)
	mkdir -p $out/emulate
	variants | while read -r name source defs; do
		plain=
		grep -q __syncthreads $dir/kernels/$source.cu || plain=-DLIMPID_PLAIN
		printf '#include "%s/kernels/%s.cu"\n#include "%s/emulate/end.h"\n' "$PWD/$dir" "$source" "$PWD/$dir" >$out/emulate/$name.cpp
		# shellcheck disable=SC2086
		c++ -std=c++17 -O2 -fPIC -w -mfma -DLIMPID_EMULATE -DLIMPID_NAME=limpid_$name $plain $defs -c -o $out/emulate/$name.o $out/emulate/$name.cpp
	done
	c++ -shared -o $out/libkernels.so $out/emulate/*.o
	;;
*)
	sed -n '2,8p' "$0" >&2
	exit 2
	;;
esac

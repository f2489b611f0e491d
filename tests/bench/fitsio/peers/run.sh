#!/bin/sh
# Runs the fitsio benchmark against cfitsio and astropy, one after the other.
#   sh tests/bench/fitsio/peers/run.sh FOLDER [PYTHON]
# from the root of the repository; FOLDER holds the files of make_data.py --big.
set -e
dir=$1
python=${2:-python3}
here=tests/bench/fitsio/peers
cc -O2 -o "$dir/cfitsio_bench" $here/cfitsio_bench.c $(pkg-config --cflags --libs cfitsio)
go build -o "$dir/fitsio_bench" ./tests/bench/fitsio
for f in plain rice rice16; do
	"$dir/cfitsio_bench" "$dir/$f.fits" 15
	"$dir/fitsio_bench" "$dir/$f.fits" 15
	"$python" $here/astropy_bench.py "$dir/$f.fits" 5
done
section="16001 8001 16512 8512"
for k in cold warm; do
	for p in cfitsio_bench fitsio_bench; do
		# forget what the system keeps of the file, so that the first is from disk
		[ $k = cold ] && dd of="$dir/big.fits" oflag=nocache conv=notrunc,fdatasync count=0 2>/dev/null
		n=9
		[ $k = cold ] && n=1
		echo "$k:"
		"$dir/$p" "$dir/big.fits" $n $section
	done
done
"$python" $here/astropy_bench.py "$dir/big.fits" 9 $section

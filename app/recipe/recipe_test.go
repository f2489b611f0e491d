package recipe_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"limpid/app/recipe"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

func TestDecode_WhatJSONWrote_IsTheSame(t *testing.T) {
	one, value, level := 1, 12.5, 60000.0
	r := recipe.Default("m31.fits")
	r.Input.HDU, r.Input.Plane, r.Input.Cutout = &one, &one, &[4]int{1, 20, 3, 40}
	r.PSF = recipe.PSF{Kind: observe.PSFMoffat, FWHM: 0.8, Unit: "arcsec", Beta: 2.5, Error: &value}
	r.Noise = recipe.Noise{Kind: observe.NoiseGain, Gain: 2, ReadNoise: 5}
	r.Sky = recipe.Sky{Kind: observe.SkyConstant, Value: &value}
	r.Mask = recipe.Mask{HDU: &one, Saturation: &level}
	r.Method = recipe.Method{Kind: deconv.RichardsonLucy, Iterations: 30, Damping: 3, StopAtNoise: true}
	r.Draw = recipe.Draw{Samples: 12, Seed: 1<<63 + 5}
	got, err := recipe.Decode(bytes.NewReader(r.JSON()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("got %+v\nwant %+v", got, r)
	}
}

func TestDecode_BadRecipes_AreRefusedWithReason(t *testing.T) {
	base := string(recipe.Default("a.fits").JSON())
	for name, c := range map[string]struct{ text, want string }{
		"not JSON":         {"<html>", "not JSON"},
		"empty":            {"", "not JSON"},
		"unknown field":    {strings.Replace(base, `"task"`, `"tusk"`, 1), "tusk"},
		"later version":    {strings.Replace(base, `"version": 1`, `"version": 99`, 1), "later Limpid"},
		"wrong type":       {strings.Replace(base, `"samples": 64`, `"samples": "many"`, 1), "samples"},
		"no file":          {strings.Replace(base, "a.fits", "", 1), "no input"},
		"unknown task":     {strings.Replace(base, "deconvolve", "conjure", 1), "conjure"},
		"negative damping": {strings.Replace(base, `"kind": "gaussian"`, `"kind": "rl", "damping": -1`, 1), "damping"},
		"huge":             {strings.Repeat(" ", 2<<20), "longer than"},
	} {
		_, err := recipe.Decode(strings.NewReader(c.text))
		if !errors.Is(err, recipe.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: err = %v, want %q", name, err, c.want)
		}
	}
}

func TestParseNoiseSpectrum_WhatUsersType(t *testing.T) {
	three := 3
	for text, want := range map[string]recipe.Noise{
		"":              {},
		"white":         {},
		"measure":       {Spectrum: observe.SpectrumMeasured},
		"blank.fits[3]": {Spectrum: observe.SpectrumFile, SpectrumFile: "blank.fits", SpectrumHDU: &three},
		"noise.txt":     {Spectrum: observe.SpectrumFile, SpectrumFile: "noise.txt"},
	} {
		var got recipe.Noise
		if err := recipe.ParseNoiseSpectrum(&got, text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	r := recipe.Default("a.fits")
	r.Noise.Spectrum = observe.SpectrumMeasured
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
	free, tiles := r, r
	if free.Sky.Free = true; free.Validate() != nil {
		t.Errorf("with a free sky: %v", free.Validate())
	}
	if tiles.Method.Tile = 256; tiles.Validate() != nil {
		t.Errorf("in tiles: %v", tiles.Validate())
	}
	for name, change := range map[string]func(r *recipe.Recipe){
		"rl":      func(r *recipe.Recipe) { r.Method.Kind = deconv.RichardsonLucy },
		"starlet": func(r *recipe.Recipe) { r.Method.Kind = deconv.Starlet },
		"no file": func(r *recipe.Recipe) { r.Noise.Spectrum = observe.SpectrumFile },
		"unknown": func(r *recipe.Recipe) { r.Noise.Spectrum = "pink" },
		"unused":  func(r *recipe.Recipe) { r.Noise.Spectrum, r.Noise.SpectrumFile = "", "blank.fits" },
	} {
		bad := r
		change(&bad)
		if err := bad.Validate(); !errors.Is(err, recipe.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoad_RelativePaths_AreBesideTheRecipe(t *testing.T) {
	dir := t.TempDir()
	r := recipe.Default("data/m31.fits")
	r.PSF = recipe.PSF{Kind: observe.PSFFile, File: "../psf.fits"}
	path := filepath.Join(dir, "r.json")
	if err := os.WriteFile(path, r.JSON(), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := recipe.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "data", "m31.fits"); got.Input.File != want {
		t.Errorf("input %s, want %s", got.Input.File, want)
	}
	if want := filepath.Join(filepath.Dir(dir), "psf.fits"); got.PSF.File != want {
		t.Errorf("PSF %s, want %s", got.PSF.File, want)
	}
}

func TestParsePSF_WhatUsersType(t *testing.T) {
	two := 2
	for text, want := range map[string]recipe.PSF{
		"measure":            {Kind: observe.PSFMeasure},
		"none":               {Kind: observe.PSFNone},
		"gaussian:2.5px":     {Kind: observe.PSFGaussian, FWHM: 2.5, Unit: "px"},
		"Gaussian:2.5":       {Kind: observe.PSFGaussian, FWHM: 2.5, Unit: "px"},
		"moffat:0.8arcsec,3": {Kind: observe.PSFMoffat, FWHM: 0.8, Unit: "arcsec", Beta: 3},
		"moffat:0.8\", 2.5":  {Kind: observe.PSFMoffat, FWHM: 0.8, Unit: "arcsec", Beta: 2.5},
		"airy:3 px":          {Kind: observe.PSFAiry, FWHM: 3, Unit: "px"},
		"psf.fits":           {Kind: observe.PSFFile, File: "psf.fits"},
		"dir/psf.fits[2]":    {Kind: observe.PSFFile, File: "dir/psf.fits", HDU: &two},
		"[2]":                {Kind: observe.PSFFile, HDU: &two},
		`C:\data\psf.fits`:   {Kind: observe.PSFFile, File: `C:\data\psf.fits`},
	} {
		got, err := recipe.ParsePSF(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "gaussian", "gaussian:", "gaussian:-1px", "gaussian:NaN", "gaussian:1e999px", "moffat:3px,1", "airy:3px,2", "measure:now", "psf.fits[x]"} {
		if got, err := recipe.ParsePSF(text); err == nil {
			t.Errorf("%q was taken as %+v", text, got)
		}
	}
}

func TestParseNoise_WhatUsersType(t *testing.T) {
	three := 3
	for text, want := range map[string]recipe.Noise{
		"auto":            {Kind: observe.NoiseAuto},
		"sky":             {Kind: observe.NoiseSky},
		"sigma:0.02":      {Kind: observe.NoiseSigma, Sigma: 0.02},
		"gain:2.1,ron:5":  {Kind: observe.NoiseGain, Gain: 2.1, ReadNoise: 5},
		"weights":         {Kind: observe.NoiseWeights},
		"weights:3":       {Kind: observe.NoiseWeights, HDU: &three},
		"variance:v.fits": {Kind: observe.NoiseVariance, File: "v.fits"},
		"std:v.fits[3]":   {Kind: observe.NoiseStd, File: "v.fits", HDU: &three},
		"3":               {Kind: observe.NoiseAuto, HDU: &three},
	} {
		got, err := recipe.ParseNoise(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "sigma:0", "sigma:x", "gain:0,ron:5", "gain:2,ron:-1", "gain:2,foo:1", "poisson", "auto:1"} {
		if got, err := recipe.ParseNoise(text); err == nil {
			t.Errorf("%q was taken as %+v", text, got)
		}
	}
}

func TestParseCutout(t *testing.T) {
	if got, err := recipe.ParseCutout("10:20, 3:44"); err != nil || *got != [4]int{10, 20, 3, 44} {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "1:2", "1:2,3", "2:1,3:4", "-1:4,0:3", "a:b,c:d", "1,2:3,4", "1:2:3,4"} {
		if got, err := recipe.ParseCutout(text); err == nil {
			t.Errorf("%q was taken as %v", text, got)
		}
	}
}

func TestParseSky(t *testing.T) {
	v := -3.5
	for text, want := range map[string]recipe.Sky{
		"auto": {Kind: observe.SkyAuto}, "none": {Kind: observe.SkyNone}, "mesh": {Kind: observe.SkyMesh},
		"mesh:128": {Kind: observe.SkyMesh, Mesh: 128}, "constant": {Kind: observe.SkyConstant},
		"constant:-3.5": {Kind: observe.SkyConstant, Value: &v},
	} {
		if got, err := recipe.ParseSky(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "mesh:2", "mesh:x", "constant:x", "constant:Inf", "none:1", "cloudy"} {
		if got, err := recipe.ParseSky(text); err == nil {
			t.Errorf("%q was taken as %+v", text, got)
		}
	}
}

func TestParsePositions(t *testing.T) {
	for text, want := range map[string][][2]float64{
		"12,30.5": {{12, 30.5}}, " 1,2 ; 3, 4;": {{1, 2}, {3, 4}}, "": nil,
	} {
		if got, err := recipe.ParsePositions(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"12", "12,", "a,b", "1,2,3", "1,NaN", "Inf,1"} {
		if got, err := recipe.ParsePositions(text); err == nil {
			t.Errorf("%q was taken as %v", text, got)
		}
	}
}

// Methods without samples or a linear mean cannot have stars and a free sky.
func TestValidate_BesideTheScene(t *testing.T) {
	for _, change := range []func(r *recipe.Recipe){
		func(r *recipe.Recipe) { r.Method.Kind, r.Sky.Free = deconv.RichardsonLucy, true },
		func(r *recipe.Recipe) { r.Method.Kind, r.Stars.At = deconv.TV, [][2]float64{{1, 1}} },
		func(r *recipe.Recipe) { r.Stars.At = make([][2]float64, deconv.MaxStars+1) },
		func(r *recipe.Recipe) { r.Stars = recipe.Stars{At: [][2]float64{{1, 1}}, Error: 50} },
	} {
		r := recipe.Default("x.fits")
		change(&r)
		if r.Validate() == nil {
			t.Errorf("taken: %s", r.JSON())
		}
	}
	r := recipe.Default("x.fits")
	r.Sky.Free, r.Stars.At = true, [][2]float64{{12, 30.5}}
	if got, err := recipe.Decode(bytes.NewReader(r.JSON())); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestParsePSFGrid_Forms(t *testing.T) {
	p, err := recipe.ParsePSFGrid("2x4:psfs.fits[1]")
	if err != nil || p.Rows != 2 || p.Cols != 4 || p.File != "psfs.fits" || p.HDU == nil || *p.HDU != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := recipe.ParsePSFGrid("3x2"); err != nil || p.Kind != observe.PSFMeasure || p.Rows != 3 || p.Cols != 2 {
		t.Errorf("nodes from stars: %+v, %v", p, err)
	}
	for _, s := range []string{"", "3:a.fits", "0x3:a.fits", "3x:a.fits", "99x99:a.fits", "3x3:"} {
		if p, err := recipe.ParsePSFGrid(s); err == nil {
			t.Errorf("%q: %+v", s, p)
		}
	}
}

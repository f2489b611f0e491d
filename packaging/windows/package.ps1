# Builds limpid.exe and limpid-cli.exe on Windows and a zip of both. Needs Go, and gcc
# from MSYS2 (mingw-w64-x86_64-gcc) on the path. -Register adds .fits .fit .fts .fz to
# "Open with" of the present user.
param([switch]$Register)
$ErrorActionPreference = "Stop"
Set-Location (Join-Path $PSScriptRoot "..\..")
$version = (Select-String -Path limpid.go -Pattern 'const Version = "(.*)"').Matches[0].Groups[1].Value
New-Item -ItemType Directory -Force dist | Out-Null
go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -H windowsgui" -o dist\limpid.exe .\app\cmd\limpid
if ($LASTEXITCODE) { exit $LASTEXITCODE }
go build -trimpath -buildvcs=false -ldflags "-s -w -buildid=" -o dist\limpid-cli.exe .\app\cmd\limpid-cli
if ($LASTEXITCODE) { exit $LASTEXITCODE }
Compress-Archive -Force -Path dist\limpid.exe, dist\limpid-cli.exe, LICENSE, README.md -DestinationPath "dist\limpid-$version-windows.zip"
if ($Register) {
    $exe = (Resolve-Path dist\limpid.exe).Path
    $key = "HKCU:\Software\Classes\Limpid.FITS"
    New-Item -Force "$key\shell\open\command" | Out-Null
    Set-ItemProperty "$key\shell\open\command" "(default)" "`"$exe`" `"%1`""
    foreach ($ext in ".fits", ".fit", ".fts", ".fz") {
        New-Item -Force "HKCU:\Software\Classes\$ext\OpenWithProgids" | Out-Null
        Set-ItemProperty "HKCU:\Software\Classes\$ext\OpenWithProgids" "Limpid.FITS" ""
    }
}

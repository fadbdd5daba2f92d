package dbtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

var chromiumProgram = program{
	server: "Chromium",
	needs:  [][]string{{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "Chromium", "Google Chrome"}},
	patterns: []string{
		"/usr/bin", "/usr/lib/chromium", "/usr/lib64/chromium-browser", "/opt/google/chrome", "/opt/homebrew/bin", "/usr/local/bin",
		"/Applications/Chromium.app/Contents/MacOS", "/Applications/Google Chrome.app/Contents/MacOS",
	},
}

// Chromium returns the path of a Chromium or Chrome. It returns a
// [*MissingError] when there is none.
func Chromium() (string, error) {
	found, err := chromiumProgram.find(os.Getenv("PATH"))
	if err != nil {
		return "", err
	}
	return found[0], nil
}

// axeSum is the digest of axe.min.js of the version that scripts/install-servers
// names.
const axeSum = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

// AxeCore returns the script of axe-core, which checks in a browser whether a
// page is accessible. There is no well-kept Go module of it, so
// scripts/install-servers has npm fetch the one version into .cache, and this
// refuses any other.
func AxeCore() (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	script, err := os.ReadFile(filepath.Join(root, ".cache", "axe-core", "axe.min.js"))
	if err != nil {
		return "", fmt.Errorf("axe-core is not there; fetch it with ./scripts/install-servers (make test does so): %w", err)
	}
	if sum := sha256.Sum256(script); hex.EncodeToString(sum[:]) != axeSum {
		return "", fmt.Errorf("axe-core has the digest %x, not %s: remove .cache/axe-core and run ./scripts/install-servers", sum, axeSum)
	}
	return string(script), nil
}

// repository is the folder that holds go.work, at or above the current one.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.work")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no go.work is at or above %s", dir)
		}
	}
}

package crash_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// forms returns the ways in which a text may stand in a file: as it is, in
// UTF-16 of both byte orders, in hexadecimal digits, and in base64 at each
// offset. Letter case is left to the caller.
func forms(text string) map[string][]byte {
	var little, big []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		little = append(little, byte(unit), byte(unit>>8))
		big = append(big, byte(unit>>8), byte(unit))
	}
	all := map[string][]byte{
		"plain": []byte(text), "UTF-16LE": little, "UTF-16BE": big, "hex": []byte(hex.EncodeToString([]byte(text))),
		"HEX": []byte(strings.ToUpper(hex.EncodeToString([]byte(text)))),
	}
	for offset := range 3 {
		// The digits at both ends also hold bits of the neighbours.
		digits := base64.StdEncoding.EncodeToString(append(make([]byte, offset), text...))
		digits = digits[(offset*8+5)/6 : (offset+len(text))*8/6]
		all["base64 "+string(rune('0'+offset))] = []byte(digits)
		all["base64url "+string(rune('0'+offset))] = []byte(strings.NewReplacer("+", "-", "/", "_").Replace(digits))
	}
	return all
}

// needles are all forms of all canaries in the letter cases of the data.
func needles() [][]byte {
	var all [][]byte
	for _, canary := range canaries() {
		for _, text := range []string{canary, strings.ToUpper(canary), strings.ToUpper(canary[:1]) + canary[1:]} {
			for _, form := range forms(text) {
				all = append(all, form)
			}
		}
	}
	return all
}

// leaks returns the files below dirs in which a canary stands.
func leaks(dirs ...string) ([]string, error) {
	var found []string
	needles := needles()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // it was not made yet
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, needle := range needles {
				if bytes.Contains(data, needle) {
					found = append(found, path)
					break
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// checkLeft checks what a killed process left: nothing personal is in the
// clear but in the package (and, where files have names from the start, in its
// unfinished upload beside it), and a
// package that can be seen is whole and has its manifest.
func (w *world) checkLeft(v *violations) {
	if data, err := os.ReadFile(filepath.Join(w.dir, "packages", requestID+".json")); err == nil {
		_, err = os.Stat(filepath.Join(w.dir, "packages", requestID+storage.ManifestSuffix))
		v.failed("manifest of a visible package", err)
		if !json.Valid(data) {
			v.add("a package can be seen that is not whole")
		}
	}
	found, err := leaks(filepath.Join(w.dir, "store"), filepath.Join(w.dir, "spool"), filepath.Join(w.dir, "tmp"))
	v.failed("look for leaks", err)
	for _, path := range found {
		v.add("%s holds a canary", path)
	}
	found, err = leaks(filepath.Join(w.dir, "packages"))
	v.failed("look for leaks", err)
	for _, path := range found {
		name := filepath.Base(path)
		if name != requestID+".json" && (runtime.GOOS == "linux" || !strings.HasPrefix(name, ".dsr-upload-")) {
			v.add("%s holds a canary", path)
		}
	}
}

func TestCanaryIsFoundInEveryForm(t *testing.T) {
	t.Parallel()
	for _, canary := range canaries() {
		for name, form := range forms(strings.ToUpper(canary)) {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			require.NoError(t, os.WriteFile(path, append(append([]byte("before"), form...), "after"...), 0o600))
			found, err := leaks(dir)
			require.NoError(t, err)
			require.Equal(t, []string{path}, found, "%s as %s", canary, name)
		}
		for offset := range 3 {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			text := base64.URLEncoding.EncodeToString([]byte("+++"[:offset] + canary + " and more"))
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			found, err := leaks(dir)
			require.NoError(t, err)
			require.Equal(t, []string{path}, found, "%s in base64 at offset %d", canary, offset)
		}
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), bytes.Repeat([]byte("qzx mail qzx name"), 99), 0o600))
	found, err := leaks(dir, filepath.Join(dir, "missing"))
	require.NoError(t, err)
	require.Empty(t, found)
}

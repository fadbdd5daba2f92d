package storage

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fileNames gives the files of one package names that every file system takes
// and that differ there, also where case, or how an accent is written, is not
// told apart.
type fileNames struct {
	taken    map[string]int // by what file systems compare: numbers tried so far
	attached []string
}

const (
	// maxFileName is the longest name of a file or folder in bytes: encrypted
	// file systems take fewer than the usual 255.
	maxFileName = 120
	// maxFilePath is the longest path in bytes. Windows takes 260 characters
	// of one, those of the folder included into which a package is unpacked.
	maxFilePath = 180
	// minFileName is what a name has in the deepest of folders.
	minFileName = 40
)

// reserve keeps paths that the format itself gives from being given again.
func (n *fileNames) reserve(paths ...string) {
	for _, p := range paths {
		n.take(p)
	}
}

// take reports whether a path was free; it is not any more. Some file systems
// compare in small or capital letters, where İ is an i and ı an I.
func (n *fileNames) take(path string) bool {
	if n.taken == nil {
		n.taken = map[string]int{}
	}
	keys := [...]string{folded(path), strings.ToLower(path), strings.ToUpper(path)}
	for _, key := range keys {
		if _, taken := n.taken[key]; taken {
			return false
		}
	}
	for _, key := range keys {
		n.taken[key] = 1
	}
	return true
}

// in returns the path of a file or folder in a folder, named after name as
// nearly as possible and unlike all before. The extension is kept.
func (n *fileNames) in(folder, name, extension string) string {
	name = safeName(name)
	room := max(min(maxFileName, maxFilePath-len(folder)-len("/")), minFileName) - len(extension)
	first := path.Join(folder, cut(name, room)+extension)
	if n.take(first) {
		return first
	}
	for key := folded(first); ; {
		n.taken[key] = max(1, n.taken[key]) + 1
		number := fmt.Sprintf(" (%d)", n.taken[key])
		if p := path.Join(folder, cut(name, room-len(number))+number+extension); n.take(p) {
			return p
		}
	}
}

// attachment returns the path of an attached file.
func (n *fileNames) attachment(name string) string {
	extension := path.Ext(name)
	if bare := strings.TrimPrefix(extension, "."); len(bare) > 20 || extension == name || safeName(bare) != bare {
		extension = ""
	}
	p := n.in("attachments", strings.TrimSuffix(name, extension), extension)
	n.attached = append(n.attached, p)
	return p
}

// safeName replaces what file systems and shells do not take, or show as
// something else, in one segment of a path.
func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, strings.ContainsRune(`/\:*?"<>|`, r), unicode.Is(unicode.C, r), unicode.Is(unicode.Z, r) && r != ' ':
			return '_'
		}
		return r
	}, name)
	name = strings.Trim(name, " .")
	base, _, _ := strings.Cut(name, ".")
	switch strings.ToUpper(strings.TrimSpace(base)) {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$",
		"COM0", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9", "COM¹", "COM²", "COM³",
		"LPT0", "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9", "LPT¹", "LPT²", "LPT³":
		name = "_" + name
	}
	if name == "" {
		return "_"
	}
	return name
}

// cut shortens a name to so many bytes of whole characters.
func cut(name string, size int) string {
	if len(name) <= size {
		return name
	}
	for size > 0 && !utf8.RuneStart(name[size]) {
		size--
	}
	return strings.TrimRight(name[:size], " .")
}

// accented stands for a letter with marks, whichever.
const accented = '\u0301'

// folded returns the same for paths that some file system takes for one. That
// of a few others is the same too: they get a number that they do not need.
func folded(path string) string {
	var key []rune
	for _, r := range path {
		if r < utf8.RuneSelf {
			key = append(key, unicode.ToUpper(r))
			continue
		}
		if unicode.Is(unicode.M, r) {
			if last := len(key) - 1; last >= 0 && key[last] != '/' {
				key = key[:last]
			}
			key = append(key, accented)
			continue
		}
		switch r = caseless(r); {
		case unicode.Is(composed, r):
			key = append(key, accented)
		case r >= hangul && r < hangul+11172:
			key = appendJamo(key, r-hangul)
		default:
			key = append(key, r)
		}
	}
	return string(key)
}

// caseless is the first of the letters that differ in case only, those of ASCII
// among them: some file systems take the sign of Kelvin for a K.
func caseless(r rune) rune {
	first := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		first = min(first, next)
	}
	return first
}

// hangul is the first of the syllables that can also be written as two or
// three letters each.
const hangul = '가'

// appendJamo appends the letters of a syllable, as Unicode counts them.
func appendJamo(key []rune, syllable rune) []rune {
	key = append(key, 0x1100+syllable/588, 0x1161+syllable%588/28)
	if last := syllable % 28; last > 0 {
		key = append(key, 0x11a7+last)
	}
	return key
}

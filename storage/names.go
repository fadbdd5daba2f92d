package storage

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fileNames gives the files of one package names that every file system takes
// and that differ there, also where case is not told apart.
type fileNames struct {
	taken    map[string]bool // folded paths
	attached []string
}

// maxFileName is the longest name of a file or folder in bytes: encrypted file
// systems take fewer than the usual 255.
const maxFileName = 120

// in returns the path of a file or folder in a folder, named after name as
// nearly as possible and unlike all before. The extension is kept.
func (n *fileNames) in(folder, name, extension string) string {
	if n.taken == nil {
		n.taken = map[string]bool{}
	}
	name = safeName(name)
	for try := 1; ; try++ {
		number := ""
		if try > 1 {
			number = fmt.Sprintf(" (%d)", try)
		}
		p := path.Join(folder, cut(name, maxFileName-len(number)-len(extension))+number+extension)
		if folded := strings.ToLower(p); !n.taken[folded] {
			n.taken[folded] = true
			return p
		}
	}
}

// attachment returns the path of an attached file.
func (n *fileNames) attachment(name string) string {
	extension := path.Ext(name)
	if len(extension) > 20 || extension == name || safeName(extension) != extension {
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
	case "CON", "PRN", "AUX", "NUL", "COM0", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9",
		"LPT0", "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9":
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

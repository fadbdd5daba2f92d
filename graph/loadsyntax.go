package graph

import (
	"bytes"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// illegal finds the first byte that may not stand in YAML, which the parser
// would report without its place.
func illegal(src []byte) (offset int, message string) {
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return i, "the file is not UTF-8 text"
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f, r > 0x7f && r < 0xa0 && r != 0x85,
			r == 0xfeff && i > 0, r == 0xfffe, r == 0xffff:
			return i, "not YAML: control characters are not allowed"
		}
		i += size
	}
	return -1, ""
}

// nodeAt stands for the place of an offset.
func nodeAt(src []byte, offset int) *yaml.Node {
	before := src[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return &yaml.Node{Line: bytes.Count(before, []byte("\n")) + 1, Column: utf8.RuneCount(before[start:]) + 1}
}

var (
	syntaxErrorParts = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?((?s:.*))$`)
	unknownAnchor    = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntaxFault finds the place of a parser's error. The parser knows no column,
// counts the lines of its grammar from 0 and those of its tokens from 1, and
// blames a broken block on the line where the block begins.
func syntaxFault(src []byte, err error) (*yaml.Node, string) {
	parts := syntaxErrorParts.FindStringSubmatch(err.Error())
	line, message := 1, parts[2]
	if n, err := strconv.Atoi(parts[1]); err == nil {
		line = n
	}
	switch message {
	case "did not find expected key", "did not find expected '-' indicator":
		line = breakingLine(src, message)
	case "did not find expected node content", "did not find expected <document start>",
		"did not find expected ',' or ']'", "did not find expected ',' or '}'":
		if parts[1] != "" {
			line++
		}
	}
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		if at := bytes.Index(src, []byte("*"+m[1])); at >= 0 {
			return nodeAt(src, at), "not YAML: " + message
		}
	}
	at := &yaml.Node{Line: line, Column: 1}
	if lines := strings.SplitN(string(src), "\n", line+1); line <= len(lines) {
		text := lines[line-1]
		at.Column += len(text) - len(strings.TrimLeft(text, " \t"))
	}
	return at, "not YAML: " + message
}

// breakingLine returns the first line up to which the source gives the error
// message. The parser looks a few lines ahead, so the search begins a little
// before the line that it had reached.
func breakingLine(src []byte, message string) int {
	reader := &lineReader{rest: src}
	fails(reader, message)
	lines := bytes.SplitAfterN(src, []byte("\n"), reader.lines+1)
	const window = 15
	first := max(0, reader.lines-window)
	return first + sort.Search(reader.lines-first, func(i int) bool {
		return fails(bytes.NewReader(bytes.Join(lines[:first+i], nil)), message)
	})
}

// fails reports whether the parser stops with the message.
func fails(src io.Reader, message string) bool {
	reader := yaml.NewDecoder(src)
	for {
		var document yaml.Node
		if err := reader.Decode(&document); err != nil {
			return strings.HasSuffix(err.Error(), message)
		}
	}
}

// lineReader reads at most a line at a time and counts those that it began:
// the parser may stop inside a long one.
type lineReader struct {
	rest   []byte
	lines  int
	inLine bool
}

func (r *lineReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	line := r.rest
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end+1]
	}
	n := copy(p, line)
	if n > 0 {
		if !r.inLine {
			r.lines++
		}
		r.inLine = p[n-1] != '\n'
	}
	r.rest = r.rest[n:]
	return n, nil
}
